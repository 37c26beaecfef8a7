import getpass
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from http_double import Double, serving
from standalone.cli import main
from standalone.client import asking
from standalone.postgres import Cluster

MakeCluster = Callable[[], Cluster]
Ask = Callable[..., list[str]]


@dataclass(frozen=True)
class Outcome:
    """What a command came to."""

    code: int
    out: str
    err: str


@pytest.fixture
def strongroom(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Outcome]:
    """Runs the command in this process, without a key, a token or a terminal unless given."""
    for name in ("BACKUP_ENCRYPTION_KEY", "BACKUP_WRITER_KEY", "STRONGROOM_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["strongroom", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ending:
            main()
        seen = capfd.readouterr()
        code = ending.value.code
        return Outcome(code if isinstance(code, int) else 0, seen.out, seen.err)

    return run


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    """Where the commands of the client go."""
    with serving() as double:
        monkeypatch.setenv("STRONGROOM_SERVER", f"http://127.0.0.1:{double.server_port}")
        for name in (asking.PASSWORD, asking.NEW_PASSWORD, "STRONGROOM_CA_FILE"):
            monkeypatch.delenv(name, raising=False)
        yield double


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Somebody who types these, one after another; the prompts are kept."""

    def sit_down(*typed: str) -> list[str]:
        prompts: list[str] = []
        left = list(typed)

        def ask(prompt: str) -> str:
            prompts.append(prompt)
            return left.pop(0)

        monkeypatch.setattr(asking, "possible", lambda: True)
        monkeypatch.setattr(getpass, "getpass", ask)
        return prompts

    return sit_down


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account may pass through, as pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="strongroom-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def make_cluster(open_folder: Path) -> Iterator[MakeCluster]:
    """Makes handles on one cluster; whichever still runs is stopped, then all is removed."""
    made: list[Cluster] = []

    def make() -> Cluster:
        made.append(
            Cluster(open_folder / "home", shelter=open_folder / "shelter", create_account=False)
        )
        return made[-1]

    yield make
    for cluster in made:
        cluster.destroy()
