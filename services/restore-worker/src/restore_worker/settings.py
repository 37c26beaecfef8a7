from pathlib import Path

from pydantic import Field

from common.config import (
    ComponentSettings,
    EncryptionKeySettings,
    RepositorySettings,
    ServiceSettings,
    StationSettings,
)


class WorkerSettings(
    ServiceSettings, StationSettings, RepositorySettings, ComponentSettings, EncryptionKeySettings
):
    """What restore-worker reads from its environment."""

    backup_restore_dir: Path = Path("/app/restores")
    """Restored files go into folders below this one, never elsewhere (but for ``in_place``)."""
    restore_niceness: int = Field(default=0, ge=0, le=19)
