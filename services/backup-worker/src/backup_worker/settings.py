from pathlib import Path

from pydantic import Field, SecretStr

from common.config import (
    ComponentSettings,
    RepositorySettings,
    ServiceSettings,
    StationSettings,
    WriterKeySettings,
)
from common.crypto.keys import WRITER_PREFIX, read_key
from common.errors import Invalid, WrongKey


class WorkerSettings(
    ServiceSettings, StationSettings, RepositorySettings, ComponentSettings, WriterKeySettings
):
    """What backup-worker reads from its environment."""

    backup_niceness: int = Field(default=10, ge=0, le=19)
    """How much a running backup steps back for the machine's other work, disk included."""
    backup_processes: int | None = Field(default=None, ge=0, le=32)
    """How many processes read files for a backup; by default one for each processor, up to four."""
    backup_cache_dir: Path = Path("/app/cache")
    """What incremental backups know of unchanged files. It may be deleted at any time."""
    backup_min_free_mb: int = Field(default=256, ge=0)
    """With less room than this beside the repository the worker says that it is not ready."""

    def writer_key(self) -> SecretStr:
        """What opens the repository for writing; empty where it is not encrypted.

        Raises:
            Invalid: it is encrypted and the key is not set.
            WrongKey: it is set to something else.
        """
        if not self.backup_encryption_enabled:
            return SecretStr("")
        if not self.backup_writer_key.get_secret_value():
            raise Invalid(
                "BACKUP_WRITER_KEY is not set: what backups are written with.",
                remedy="`strongroom keys writer` prints it. BACKUP_WRITER_KEY_FILE may name a file"
                " with it.",
            )
        try:
            read_key(WRITER_PREFIX, self.backup_writer_key.get_secret_value())
        except WrongKey as error:
            raise WrongKey(
                "BACKUP_WRITER_KEY is no writer key.",
                remedy="`strongroom keys writer` prints it, from the encryption key.",
            ) from error
        return self.backup_writer_key
