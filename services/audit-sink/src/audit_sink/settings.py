"""The settings of audit-sink."""

from pathlib import Path

from pydantic import Field

from common.config import ServiceSettings


class AuditSettings(ServiceSettings):
    """What audit-sink reads from the environment."""

    security_audit_log_enabled: bool = Field(
        default=True, description="whether the log is written to a file as well as to the table"
    )
    security_audit_log_path: Path = Field(
        default=Path("/app/logs/security_audit.log"), description="the file, as JSON lines"
    )
