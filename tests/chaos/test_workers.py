"""The processes of one backup are killed, any of them at any moment, while files change."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random
from uuid import NAMESPACE_OID, UUID, uuid5

import pytest

from chaos.settings import seeds
from common.components.component import Target
from common.components.files import FilesComponent
from common.errors import Error
from common.repository.ingesting import crew
from common.repository.prepared import SnapshotMeta
from vault import Keys, Vault, make_keys, noise

PATIENCE = 60.0
FAILED = 3
MANY = 1_200


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files in number and of size, so that processes are worth their while and take a moment."""
    folder = tmp_path_factory.mktemp("source")
    for number in range(MANY):
        (folder / f"{number:04}").write_bytes(noise(9_000, number))
    (folder / "large").write_bytes(noise(20_000_000, 1))
    return folder


@pytest.fixture(scope="module")
def keys() -> Keys:
    """Those of the repository of these tests."""
    return make_keys()


@pytest.fixture
def vault(memory: Path, keys: Keys) -> Vault:
    return Vault(memory / "repository", *keys)


def back_up(vault: Vault, source: Path, run_id: UUID) -> None:
    with vault.writer().begin(run_id, processes=2) as run:
        with run.component("files", "files") as sink:
            sink.details = FilesComponent.of("files", [source]).capture(sink)
        run.finish(SnapshotMeta(run_id.hex, run_id.hex, "chain")).commit_next()


def in_a_process(work: Callable[[], None], complaint: Path) -> int:
    """Do this in a process; when it fails it says why in a file."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except Error as error:
        complaint.write_text(f"{error.code} {error.message}")
        code = FAILED
    finally:
        os._exit(code)


def children(process: int) -> list[int]:
    """Those that a process has started."""
    try:
        text = Path(f"/proc/{process}/task/{process}/children").read_text()
    except OSError:
        return []
    return [int(each) for each in text.split()]


def state_of(process: int) -> str:
    """The letter of its state; none when it is gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def is_there(process: int) -> bool:
    """Whether a process lives; one that is only waited for does not."""
    return state_of(process) not in "ZX"


def begun(parent: int) -> bool:
    """Whether a worker is there, or all is over: how many there are is for the pace to say."""
    return bool(children(parent)) or not is_there(parent)


def gone(processes: list[int]) -> bool:
    """Whether none of them is left."""
    return not any(map(is_there, processes))


def wait_for(condition: Callable[[], object], within: float) -> bool:
    """Whether it came true in time."""
    end = time.monotonic() + within
    while not (true := bool(condition())) and time.monotonic() < end:
        time.sleep(0.005)
    return true


def status_of(process: int) -> int:
    """How it ended; it is killed when it does not."""
    ended: list[int] = []

    def look() -> bool:
        found, status = os.waitpid(process, os.WNOHANG)
        ended.extend([os.waitstatus_to_exitcode(status)] if found else [])
        return bool(found)

    if not wait_for(look, PATIENCE):
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        pytest.fail("A backup whose process was killed did not end.")
    return ended[0]


@pytest.fixture
def _worthwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "_WORTHWHILE_FILES", 20)


@pytest.mark.usefixtures("_worthwhile")
@pytest.mark.parametrize("victim", ["worker", "parent"])
def test_any_process_of_a_backup_may_be_killed(
    vault: Vault, source: Path, memory: Path, victim: str
) -> None:
    """Lost: files without a word; or the machine, to processes that nobody ends."""
    struck = 0
    for seed in seeds(3):
        random, run_id = Random(f"{seed} {victim}"), uuid5(NAMESPACE_OID, f"{seed} {victim}")
        listed = {info.id for info in vault.writer().snapshots()}
        parent = in_a_process(partial(back_up, vault, source, run_id), memory / "complaint")
        wait_for(partial(begun, parent), PATIENCE)
        time.sleep(random.random() * 0.6 if struck else 0)  # the first at once: none may be so fast
        workers = strike(parent, victim, random)
        struck += bool(workers)
        status = status_of(parent)
        assert wait_for(partial(gone, workers), PATIENCE), "orphans"
        now = vault.reader().snapshots()
        if victim == "worker" and status:
            assert status == FAILED
            assert (memory / "complaint").read_text().split()[0] == "reader_lost"
        new = [info.run_id for info in now if info.id not in listed]
        assert len(now) == len(listed) + len(new)
        if status == 0 or (new and status == -signal.SIGKILL):  # killed after its last write
            assert new == [run_id]
        else:
            assert not new
            clean_up(vault, run_id)
    assert struck
    goes_on(vault, source, memory / "target")


def strike(parent: int, victim: str, random: Random) -> list[int]:
    """Kill one of them; the workers that there were then, none when they had ended."""
    os.kill(parent, signal.SIGSTOP)  # so that it starts and buries none meanwhile
    assert wait_for(lambda: state_of(parent) in "TZX", PATIENCE)
    workers = children(parent)
    if workers:
        os.kill(random.choice(workers) if victim == "worker" else parent, signal.SIGKILL)
    os.kill(parent, signal.SIGCONT)
    return workers


def clean_up(vault: Vault, run_id: UUID) -> None:
    """Abandon a run; fail when it leaves what nothing can use."""
    vault.writer().abandon(run_id)
    assert not vault.directory.leftovers(run_id.hex)
    session = vault.session()
    listed = {entry.pack_id: entry for part in session.segments() for entry in part.entries}
    mine = {key.key_id for key in session.wrapped_keys() if key.run == run_id}
    assert session.present() == listed.keys()
    assert mine <= {entry.key_id for entry in listed.values()}


def goes_on(vault: Vault, source: Path, target: Path) -> None:
    """Fail unless all is well and the next backup is whole."""
    run_id = uuid5(NAMESPACE_OID, "the last")
    back_up(vault, source, run_id)
    reader = vault.reader()
    report = reader.check(read_data=True)
    assert report.ok, report.findings
    info = next(info for info in reader.snapshots() if info.run_id == run_id)
    backed = reader.snapshot(info.id).source("files")
    FilesComponent.of("files", []).restore(backed, Target(directory=target))
    restored = target / source.relative_to("/")
    assert same(source, restored)


def disturb(folder: Path, ended: threading.Event) -> None:
    """Change files in every way, for as long as it takes."""
    random = Random(0)
    other = folder.with_name("other")
    while not ended.wait(0.0005):
        path = folder / f"{random.randrange(40):04}"
        other.write_bytes(bytes([random.randrange(256)]) * random.randrange(30_000))
        plain = path.is_file() and not path.is_symlink()
        with suppress(FileNotFoundError, FileExistsError):
            match random.randrange(6) if plain else 5:
                case 0:
                    os.truncate(path, random.randrange(9_000))
                case 1:
                    with path.open("ab") as file:
                        file.write(bytes(random.randrange(200_000)))
                case 2:
                    path.unlink()
                case 3:
                    path.unlink()
                    path.symlink_to("nowhere")
                case 4:
                    path.unlink()
                    os.mkfifo(path)
                case _:
                    other.replace(path)


@contextmanager
def disturbed(folder: Path) -> Iterator[None]:
    """While others change files here."""
    ended = threading.Event()
    other = threading.Thread(target=disturb, args=(folder, ended))
    other.start()
    try:
        yield
    finally:
        ended.set()
        other.join(PATIENCE)


@pytest.mark.usefixtures("_worthwhile")
def test_files_change_while_they_are_read(vault: Vault, memory: Path) -> None:
    """Lost: the backup of a busy machine, or the files in it that nobody touched."""
    folder = memory / "busy"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number:04}").write_bytes(noise(9_000, number))
    for seed in seeds(2):
        run_id = uuid5(NAMESPACE_OID, f"busy {seed}")
        parent = in_a_process(partial(back_up, vault, folder, run_id), memory / "complaint")
        with disturbed(folder):
            assert status_of(parent) == 0
        reader = vault.reader()
        info = next(info for info in reader.snapshots() if info.run_id == run_id)
        target = memory / f"target-{seed}"
        backed = reader.snapshot(info.id).source("files")
        FilesComponent.of("files", []).restore(backed, Target(directory=target))
        for number in range(40, 300):
            name = f"{number:04}"
            content = (target / folder.relative_to("/") / name).read_bytes()
            assert content == noise(9_000, number), name
    report = vault.reader().check(read_data=True)
    assert report.ok, report.findings


def same(one: Path, other: Path) -> bool:
    """Whether two folders have the same files."""
    names = {path.name for path in one.iterdir()}
    assert names == {path.name for path in other.iterdir()}
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)
