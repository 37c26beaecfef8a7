"""What is begun before the program is loaded is what the program needs, or comes to nothing."""

import gc
from pathlib import Path

import pytest

from common.crypto import stretching
from common.repository.format.config import RepositoryConfig
from common.repository.opening import create
from standalone import __main__
from standalone.keys.ahead import stretch_for

KEY = "correct horse battery staple"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    create(tmp_path / "repo", RepositoryConfig.create(KEY))
    return tmp_path / "repo"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    return file


def test_the_key_of_the_repository_is_begun(repo: Path, key_file: Path) -> None:
    """Lost: every repository, were it another key; or the time that this is there to save."""
    stretch_for(["repo", "check", f"--key-file={key_file}", str(repo)])
    (arguments,) = stretching._begun
    assert stretching.stretch(*arguments) == stretching._stretch(*arguments)
    assert not stretching._begun
    assert arguments[0] == KEY.encode()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["status"],
        ["repo", "check", "REPO"],
        ["repo", "check", "REPO", "--key-file"],
        ["repo", "check", "REPO", "--key-file", "/nowhere"],
        ["repo", "check", "/nowhere", "--key-file", "KEY"],
        ["repo", "check", "DAMAGED", "--key-file", "KEY"],
        ["repo", "check", "a\0b", "--key-file", "KEY"],
    ],
)
def test_what_is_wrong_is_left_to_the_command(
    repo: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """Lost: the sentence that says what is wrong, and its exit code."""
    monkeypatch.delenv("BACKUP_ENCRYPTION_KEY", raising=False)
    damaged = repo.with_name("damaged")
    damaged.mkdir()
    (damaged / "config").write_bytes(b"[core]\n\tbare = false\n")
    places = {"REPO": str(repo), "KEY": str(key_file), "DAMAGED": str(damaged)}
    stretch_for([places.get(each, each) for each in arguments])
    assert not stretching._begun


def test_ctrl_c_while_the_program_loads_ends_it_as_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost: a quiet end, and the exit code that says why."""

    def interrupted(name: str) -> None:
        raise KeyboardInterrupt(name)

    monkeypatch.setattr(__main__, "import_module", interrupted)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    with pytest.raises(SystemExit) as ending:
        __main__.main()
    assert ending.value.code == 130
