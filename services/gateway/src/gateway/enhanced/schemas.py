"""What the documented enhanced-backup endpoints take and answer."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.backups.schemas import Components, Name
from gateway.operations.routes import OperationAnswer
from gateway.restores.schemas import RestoreRequest


class CreateRequest(BaseModel):
    """A backup to be taken, by the names of the documented API."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "backup_name": "daily_backup_2024_01_15",
                    "components": ["database", "files", "config"],
                    "encrypt": True,
                    "upload_to_cloud": True,
                }
            ]
        },
    )

    backup_name: Name | None = None
    components: Components = Field(default_factory=list, description="None means all.")
    encrypt: bool | None = Field(
        default=None,
        description="Whether a backup is encrypted is a property of the repository"
        " (BACKUP_ENCRYPTION_ENABLED); asking for the other is refused.",
    )
    upload_to_cloud: bool = True


class RestoreByNameRequest(RestoreRequest):
    """What to restore, by the name of the backup."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "backup_name": "daily_backup_2024_01_15",
                    "components": ["database"],
                    "decrypt": True,
                }
            ]
        },
    )

    backup_name: Name
    decrypt: bool | None = Field(
        default=None, description="What is encrypted is decrypted; anything else is refused."
    )


class Accepted(BaseModel):
    """The operation that was asked for, and the backup that it is about."""

    backup_name: str = Field(examples=["daily_backup_2024_01_15"])
    status: Literal["success", "failed", "cancelled", "accepted"]
    operation: OperationAnswer


class Configuration(BaseModel):
    """How backups are kept."""

    local_dir: str = Field(examples=["/app/backups"])
    encryption_enabled: bool
    encryption_algorithm: str | None = Field(examples=["AES-256-GCM"])
    compression_type: str = Field(examples=["zstd"])
    compression_level: int = Field(examples=[3])


class HealthAnswer(BaseModel):
    """Whether backups can be taken, and whether what is there is well."""

    status: Literal["healthy", "degraded", "unhealthy"]
    missing: dict[str, str] = Field(description="What is needed and does not answer.")
    warnings: dict[str, str] = Field(description="What needs a look.")
