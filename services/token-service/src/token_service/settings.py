from pydantic import SecretStr

from common.config import (
    EncryptionKeySettings,
    RepositorySettings,
    RotatingKey,
    ServiceSettings,
    Settings,
)


class TokenKeySettings(Settings):
    """What OAuth tokens are sealed under: the newest key, then older ones, divided by commas."""

    encryption_key: RotatingKey = SecretStr("")


class TokenServiceSettings(
    ServiceSettings, EncryptionKeySettings, RepositorySettings, TokenKeySettings
):
    """What token-service reads from its environment.

    Without ``backup_encryption_enabled`` the repository's keys are made under a published key:
    anyone can open them. Where ``backup_local_dir`` can be read, changes of its keys are followed.
    """
