from common.config import EncryptionKeySettings, ServiceSettings


class TokenServiceSettings(ServiceSettings, EncryptionKeySettings):
    """What token-service reads from its environment."""

    backup_encryption_enabled: bool = True
    """Without encryption the keys are made under a published key: anyone can open them."""
