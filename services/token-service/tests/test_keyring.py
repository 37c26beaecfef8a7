"""The keys of the repository: made once, opened by one key."""

import pytest
from pydantic import SecretStr

from common.crypto.hpke import PrivateKey
from common.crypto.keys import PassphraseProvider
from common.errors import Conflict, Corrupt, Invalid, WrongKey
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


def following(keys: Keys, private: PrivateKey | None = None) -> bytes:
    """The config that a rotation of the key pair leaves in the repository."""
    config = RepositoryConfig.parse(keys.config)
    provider = PassphraseProvider.found(RIGHT, config.sealing)
    found, writer_key = config.open_private(provider)
    sealed = config.sealed_by(provider, private or found, writer_key)
    return config.next_generation(**sealed).pack(writer_key)


def test_a_rotated_config_is_followed(keys: Keys) -> None:
    """A new folder would get the former key pair, and its backups would be thought to be safe."""
    rotated = following(keys, PrivateKey.generate())
    newer = Keyring(RIGHT).follow(keys, rotated)
    assert (newer.generation, newer.config) == (2, rotated)
    assert Keyring(RIGHT).follow(newer, rotated) is newer
    assert Keyring(RIGHT).follow(None, rotated) == newer


def test_an_older_config_is_refused(keys: Keys) -> None:
    """Whoever puts an old copy back would have backups made to a key pair that was given up."""
    newer = Keyring(RIGHT).follow(keys, following(keys))
    with pytest.raises(Corrupt, match="generation 1, and one of generation 2"):
        Keyring(RIGHT).follow(newer, keys.config)
    with pytest.raises(Corrupt, match="another one was put"):
        Keyring(RIGHT).follow(newer, following(keys, PrivateKey.generate()))


def test_a_config_that_somebody_else_made_is_refused(keys: Keys) -> None:
    """An attacker with the storage could become the reader of all later backups."""
    forged = bytearray(following(keys))
    forged[-40] ^= 1
    with pytest.raises(Corrupt):
        Keyring(RIGHT).follow(keys, bytes(forged))
    with pytest.raises(WrongKey):
        Keyring(SecretStr("another")).follow(keys, following(keys))
    with pytest.raises(Conflict, match="BACKUP_LOCAL_DIR"):
        Keyring(RIGHT).follow(keys, Keyring(RIGHT).create().config)
