"""The keys of the repository: made once, opened by one key."""

import pytest
from pydantic import SecretStr

from common.errors import Corrupt, Invalid, WrongKey
from common.repository.format.config import RepositoryConfig
from token_service.domain import Keyring, Keys

RIGHT = SecretStr("correct horse battery staple")


@pytest.fixture(scope="module")
def keys() -> Keys:
    return Keyring(RIGHT).create()


def test_made_keys_open_with_the_same_key(keys: Keys) -> None:
    """No backup under them could ever be restored."""
    Keyring(RIGHT).check(keys)
    assert keys.encrypted
    assert RepositoryConfig.parse(keys.config).repository.hex() == keys.repository_id


def test_another_key_is_refused_each_time(keys: Keys) -> None:
    """Backups would be written that the configured key cannot open."""
    keyring = Keyring(SecretStr("another"))
    for _ in range(2):
        with pytest.raises(WrongKey, match="BACKUP_ENCRYPTION_KEY"):
            keyring.check(keys)


def test_encryption_cannot_be_switched_off_later(keys: Keys) -> None:
    """An operator who believes in encryption would write without it, or the reverse."""
    with pytest.raises(WrongKey, match="BACKUP_ENCRYPTION_ENABLED=true"):
        Keyring(None).check(keys)
    with pytest.raises(WrongKey, match="BACKUP_ENCRYPTION_ENABLED=false"):
        Keyring(RIGHT).check(Keyring(None).create())


def test_empty_key_is_refused_before_anything_is_made() -> None:
    """A forgotten setting would make a repository that everyone can open."""
    keyring = Keyring(SecretStr(""))
    with pytest.raises(Invalid, match="empty"):
        keyring.check(None)
    with pytest.raises(Invalid, match="empty"):
        keyring.create()


def test_changed_keys_are_refused(keys: Keys) -> None:
    """Whoever can write the table could have backups made to a key of their own."""
    damaged = bytearray(keys.config)
    damaged[len(damaged) // 2] ^= 1
    with pytest.raises(Corrupt):
        Keyring(RIGHT).check(Keys(keys.repository_id, 1, encrypted=True, config=bytes(damaged)))


def test_secrets_do_not_show(keys: Keys) -> None:
    """The sealed keys would stand in logs for others to guess at."""
    assert "config" not in repr(keys)
