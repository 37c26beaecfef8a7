import base64
from pathlib import Path

import pytest

from backup_worker.folder import missing_config, not_ready
from backup_worker.settings import WorkerSettings
from common.errors import Invalid, Unavailable, WrongKey
from common.messages import Message, Question, RepositoryConfig, RepositoryCreated


def components(folder: Path) -> Path:
    path = folder / "components.toml"
    path.write_text('[components.files]\nkind = "files"\npaths = ["/srv"]\n')
    return path


async def refuse(question: Question) -> Message:
    raise Unavailable


async def test_a_repository_that_has_its_config_asks_nobody(tmp_path: Path) -> None:
    """A backup must not depend on the keyring once the repository stands."""
    (tmp_path / "config").touch()
    assert await missing_config(tmp_path, refuse) is None


async def test_a_new_repository_asks_the_keyring(tmp_path: Path) -> None:
    content = base64.b64encode(b"config").decode()

    async def answer(question: Question) -> Message:
        return RepositoryConfig(repository_id="r", config=content)

    assert await missing_config(tmp_path / "new", answer) == content


async def test_another_answer_is_not_written_down(tmp_path: Path) -> None:
    """What is taken for a config would make a repository that nobody can open."""

    async def answer(question: Question) -> Message:
        return RepositoryCreated(repository_id="r")

    with pytest.raises(Unavailable, match="keyring"):
        await missing_config(tmp_path, answer)


def test_ready(tmp_path: Path) -> None:
    """Also before the first backup has made the folder."""
    assert not_ready(tmp_path / "a" / "b", components(tmp_path), 0) is None


def test_too_little_room(tmp_path: Path) -> None:
    """A full disk is better told in the afternoon than found in the night."""
    reason = not_ready(tmp_path, components(tmp_path), 10**12)
    assert reason is not None
    assert "BACKUP_MIN_FREE_MB" in reason


def test_no_components_file(tmp_path: Path) -> None:
    reason = not_ready(tmp_path, tmp_path / "nothing.toml", 0)
    assert reason is not None
    assert "BACKUP_COMPONENTS_FILE" in reason


KEY = "swk1-" + 32 * "ab"


@pytest.mark.parametrize(("encrypted", "key"), [(False, ""), (False, "swk1-x"), (True, KEY)])
def test_which_key_is_used(*, encrypted: bool, key: str) -> None:
    """A repository without encryption has the published key, whatever else is set."""
    settings = WorkerSettings(
        database_url="postgresql:///x", backup_encryption_enabled=encrypted, backup_writer_key=key
    )
    assert settings.writer_key().get_secret_value() == (key if encrypted else "")


def test_encryption_without_a_key_is_refused() -> None:
    """Nothing may be written that looks encrypted and is not."""
    with pytest.raises(Invalid, match="BACKUP_WRITER_KEY"):
        WorkerSettings(database_url="postgresql:///x").writer_key()


def test_a_key_that_writes_nothing_is_refused_at_the_start() -> None:
    """Lost: every backup, by a worker that is ready; or, with the encryption key, the wall."""
    settings = WorkerSettings(database_url="postgresql:///x", backup_writer_key="hunter2")
    with pytest.raises(WrongKey, match="BACKUP_WRITER_KEY is no writer key") as caught:
        settings.writer_key()
    assert "hunter2" not in str(caught.value)
