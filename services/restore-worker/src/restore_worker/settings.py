from pathlib import Path

from pydantic import Field, SecretStr

from common.config import (
    ComponentSettings,
    EncryptionKeySettings,
    RepositorySettings,
    ServiceSettings,
    StationSettings,
)
from common.errors import Invalid


class WorkerSettings(
    ServiceSettings, StationSettings, RepositorySettings, ComponentSettings, EncryptionKeySettings
):
    """What restore-worker reads from its environment."""

    backup_restore_dir: Path = Path("/app/restores")
    """Restored files go into folders below this one, never elsewhere (but for ``in_place``)."""
    restore_niceness: int = Field(default=5, ge=0, le=19)

    def encryption_key(self) -> SecretStr | None:
        """What opens the repository; None where it is not encrypted.

        Raises:
            Invalid: it is encrypted and the key is not set.
        """
        if not self.backup_encryption_enabled:
            return None
        if not self.backup_encryption_key.get_secret_value():
            raise Invalid(
                "BACKUP_ENCRYPTION_KEY is not set: what the repository is opened with.",
                remedy="BACKUP_ENCRYPTION_KEY_FILE may name a file with it.",
            )
        return self.backup_encryption_key
