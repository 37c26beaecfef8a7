from pydantic import Field

from common.config import (
    ComponentSettings,
    RepositorySettings,
    ServiceSettings,
    StationSettings,
    WriterKeySettings,
)


class WorkerSettings(
    ServiceSettings, StationSettings, RepositorySettings, ComponentSettings, WriterKeySettings
):
    """What backup-worker reads from its environment."""

    backup_niceness: int = Field(default=5, ge=0, le=19)
    """How much a running backup steps back for the machine's other work, disk included."""
    backup_min_free_mb: int = Field(default=256, ge=0)
    """With less room than this beside the repository the worker says that it is not ready."""
