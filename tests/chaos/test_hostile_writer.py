"""A writer with the right key and bad intentions: well-sealed objects that mean nothing good.

Whatever it lists, every reader ends soon with one error, and the backups of others are as before.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest

from chaos.mutation import mutated
from chaos.orderly import small_and_orderly
from chaos.scenarios import A
from chaos.settings import seeds
from chaos.world import NOW, create_at, fresh, open_at, restore
from common.errors import Corrupt, Error
from common.repository.entry import Entry, EntryType
from common.repository.format.chunklist import ChunkList, pack_items
from common.repository.prepared import SnapshotMeta
from common.repository.reader import Reader
from common.repository.run import ComponentRecorder
from common.repository.writing.listing import TreeWriter
from vault import add_files

SOON = 20
Fill = Callable[[ComponentRecorder], None]


@pytest.fixture
def place(memory: Path, config: bytes) -> Iterator[Path]:
    with small_and_orderly():
        create_at(fresh(memory / "place"), config)
        A.do(memory / "place")
        yield memory / "place"


@contextmanager
def soon() -> Iterator[None]:
    """Fail what takes too long."""

    def late(_signal: int, _frame: object) -> None:
        raise TimeoutError("A hostile backup keeps a reader busy.")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SOON)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def write(place: Path, fill: Fill) -> str:
    """A backup of this writer; its id."""
    with open_at(place).begin(uuid4()) as run:
        with run.component("files", "files") as sink:
            fill(sink)
        return run.finish(SnapshotMeta("bad", "bad", "bad")).commit(1, None).id


def all_readers_end(place: Path, bad: str) -> list[Error]:
    """Have everything read; the errors. Fails when the other backup is touched by them."""
    errors: list[Error] = []
    with soon():
        reader = open_at(place)
        for read in (
            lambda: reader.check(read_data=True),
            lambda: restore(reader, bad),
            lambda: list(reader.snapshot(bad).source("files").entries()),
            lambda: reader.prune(NOW),
        ):
            try:
                read()
            except Corrupt as error:
                errors.append(error)
        good = next(info for info in reader.snapshots() if info.backup_name == "a")
        assert restore(open_at(place), good.id) == A.files
        report = reader.check(read_data=True, snapshots=[good.id])
        assert report.ok, report.findings
    return errors


def test_mutated_trees(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost: the backups of an honest station in a repository shared with a dishonest one."""
    put = TreeWriter._put
    errors = 0
    for seed in seeds(25):
        random = Random(seed)

        def put_bad(tree: TreeWriter, block: bytes, random: Random = random) -> None:
            put(tree, mutated(random, block, block) or b"\0")

        with monkeypatch.context() as patch:
            patch.setattr(TreeWriter, "_put", put_bad)
            bad = write(place, lambda sink: add_files(sink, {b"b": b"x", **A.files}))
        errors += len(all_readers_end(place, bad))
        (place / "snapshots" / bad).unlink()
    assert errors


def endless(sink: ComponentRecorder, data: bytes, claim: int) -> ChunkList:
    """A list whose items, at four levels, are all the same thousand times."""
    store = sink._tree._store
    item = (store.put(data), len(data))
    for _ in range(4):
        below = pack_items([item] * 1000)
        item = (store.put(below), len(below))
    return ChunkList(4, claim, (item,) * 200)


@pytest.mark.parametrize("claim", [100, 2**62])
def test_a_file_without_end(place: Path, claim: int) -> None:
    """Lost: every check and every prune, to one list that names itself a million million times."""

    def fill(sink: ComponentRecorder) -> None:
        sink.add(Entry(b"", EntryType.DIRECTORY))
        content = endless(sink, b"\0", claim)
        sink._tree.add(Entry(b"endless", EntryType.FILE, size=claim), content)

    bad = write(place, fill)
    with soon():
        reader: Reader = open_at(place)
        with suppress(Corrupt):
            reader.check(read_data=True)
        with suppress(Corrupt):
            reader.prune(NOW)
        if claim == 100:
            source = reader.snapshot(bad).source("files")
            entry = list(source.entries())[-1]
            size = 0
            with suppress(Corrupt):
                for _, _, piece in source.contents([entry]):
                    size += len(piece)
                pytest.fail("More than the file's size came, and nobody minded.")
            assert size <= claim


@pytest.mark.parametrize("claim", [100, 2**62])
def test_a_tree_without_end(place: Path, monkeypatch: pytest.MonkeyPatch, claim: int) -> None:
    """Lost: every restore that lists the entries first."""
    finish = TreeWriter.finish

    def fill(sink: ComponentRecorder) -> None:
        sink.add(Entry(b"", EntryType.DIRECTORY))
        block = sink._tree._block.take()
        root = endless(sink, block, claim)
        monkeypatch.setattr(TreeWriter, "finish", lambda _: root)

    bad = write(place, fill)
    monkeypatch.setattr(TreeWriter, "finish", finish)
    assert all_readers_end(place, bad)


@pytest.mark.parametrize("claims", [[501], [400], [500, 400], [400, 500]])
def test_a_file_of_another_length_than_its_chunk(place: Path, claims: list[int]) -> None:
    """Lost: what a file held, by a restore that says all is well."""

    def fill(sink: ComponentRecorder) -> None:
        sink.add(Entry(b"", EntryType.DIRECTORY))
        chunk = sink._tree._store.put(bytes(500))
        for number, claim in enumerate(claims):
            entry = Entry(b"%d" % number, EntryType.FILE, size=claim)
            sink._tree.add(entry, ChunkList(0, claim, ((chunk, claim),)))

    bad = write(place, fill)
    with pytest.raises(Corrupt, match="another length than is needed"):
        restore(open_at(place), bad)
