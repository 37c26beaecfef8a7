"""The table of chunks: alone, and with several processes writing to it."""

import os
import random
import subprocess
import sys
from itertools import count, repeat
from pathlib import Path

import pytest

from common.repository.format.index import PackEntry
from common.repository.format.pack import CONTENT, Directory, pack_chunks
from common.repository.index import vectors
from common.repository.index.catalog import Segment
from common.repository.index.filling import Filling
from common.repository.index.known import KnownChunks
from common.repository.index.knownpacks import KnownPacks
from common.repository.index.table import ChunkTable

HAMMER = """
import random, sys
from common.repository.index.table import ChunkTable
table = ChunkTable.attach(int(sys.argv[1]))
chosen = random.Random(int(sys.argv[2]))
mine = [chosen.randbytes(16) for _ in range(30_000)]
again = sum(table.add(chunk_id, 0) is not None for chunk_id in mine)
missed = sum(table.get(chunk_id) is None for chunk_id in mine)
wrong = sum(table.get(chosen.randbytes(16)) is not None for _ in range(30_000))
print(again, missed, wrong)
"""


def _ids(seed: int, count: int) -> list[bytes]:
    chosen = random.Random(seed)
    return [chosen.randbytes(16) for _ in range(count)]


def test_it_holds_what_a_dict_holds() -> None:
    """Else chunks are stored twice, or taken for stored that are not."""
    ids = _ids(0, 90_000)  # more than the first level has room for
    ids += [bytes(8) + chunk_id[8:] for chunk_id in ids[:500]]
    ids += [chunk_id[:8] + b"\1" * 8 for chunk_id in ids[:500]]
    table, model = ChunkTable(), dict[bytes, int]()
    for number, chunk_id in enumerate([*ids, *ids[::7]]):
        known = model.get(chunk_id)
        assert table.get(chunk_id) == known
        assert table.add(chunk_id, number) == known
        model.setdefault(chunk_id, number)
    assert len(table) == len(model)
    assert all(table.get(chunk_id) == number for chunk_id, number in model.items())
    assert not any(table.get(chunk_id) for chunk_id in _ids(1, 1000))


def test_nobody_knows_which_slot_an_id_wants() -> None:
    """Else one who may write an index could choose ids that take hours to look up."""
    tables = [ChunkTable() for _ in range(2)]
    assert tables[0].levels.all[0].salt != tables[1].levels.all[0].salt


def test_ids_that_crowd_one_slot_are_found() -> None:
    """Else a writer who knows the key could make the table lose what others stored."""
    table = ChunkTable()
    level = table.levels.all[0]
    home = ((level.slots - 1) ^ level.salt).to_bytes(8, "little")
    ids = [home + chunk_id[8:] for chunk_id in _ids(2, 1500)]
    assert {table.add(chunk_id, 7) for chunk_id in ids} == {None}
    assert {table.add(chunk_id, 8) for chunk_id in ids} == {7}


def test_a_list_is_looked_up_at_once() -> None:
    """Else an unchanged file is read again, or one whose chunks are gone is not."""
    table, ids = ChunkTable(), _ids(3, 60_000)
    for number, chunk_id in enumerate(ids):
        table.add(chunk_id, number % 100)
    packed = b"".join(chunk_id + b"size" for chunk_id in ids)
    seen = bytearray(100)
    assert table.contains_all(packed, 20, seen)
    assert seen == b"\1" * 100
    assert table.contains_all(b"".join(ids), 16)
    assert table.contains_all(b"", 20)
    assert not table.contains_all(packed + bytes(20), 20)
    assert not table.contains_all(_ids(4, 1)[0] + packed[:4], 20)


@pytest.mark.parametrize("expected", [200_000, 0])
def test_many_entered_at_once_are_found_as_if_one_by_one(expected: int) -> None:
    """Else a large repository is backed up anew, or a chunk of it is sought in the wrong place."""
    ids = _ids(8, 170_000)
    ids[-3000:] = [ids[0][:8] + chunk_id[8:] for chunk_id in ids[-3000:]]  # a lump
    ids[:2] = [bytes(8) + b"\1" * 8, bytes(8) + b"\2" * 8]
    table, model = ChunkTable(expected), dict(zip(ids, range(2**40, 2**41), strict=False))
    for chunk_id in ids[::50]:
        assert table.add(chunk_id, model[chunk_id]) is None
    filling = Filling(table)
    packed = [b"".join(chunk_id + b"size" for chunk_id in part) for part in (ids[::3], ids)]
    filling.add(packed[0], 2**40, 3)
    filling.add(packed[1], 2**40, 1)
    filling.add(packed[1][:20], 5)
    filling.flush()
    assert [table.get(chunk_id) for chunk_id in ids] == list(model.values())
    assert len(table) == len(model)
    assert not any(table.get(chunk_id) for chunk_id in _ids(9, 1000))


@pytest.mark.parametrize("expected", [200_000, 0])
def test_many_looked_up_at_once_are_found_as_if_one_by_one(expected: int) -> None:
    """Else an unchanged file is read again, or one whose chunks are gone is not."""
    ids = _ids(14, 150_000)  # for the smaller table more than its first level has room for
    ids[-900:] = [ids[0][:8] + chunk_id[8:] for chunk_id in ids[-900:]]  # a lump
    ids[:2] = [bytes(8) + b"\1" * 8, bytes(8) + b"\2" * 8]
    table = ChunkTable(expected)
    packed = b"".join(chunk_id + b"size" for chunk_id in ids)
    table.add_all(packed, 20, (number % 7 for number in count()))
    for some in (packed, packed[-20_000:], packed[:20], b""):
        by_many, one_by_one = bytearray(8), bytearray(8)
        assert vectors.contains_all(table, some, by_many)
        assert table.contains_all(some, 20, one_by_one)
        assert by_many == one_by_one
    for absent in (bytes(16), ids[-1][:8] + bytes(8), *_ids(15, 3)):
        assert not vectors.contains_all(table, packed[:2000] + absent + b"size", bytearray(8))


def test_some_entered_at_once_are_found_as_if_one_by_one() -> None:
    """Else a small repository is backed up anew, or a chunk of it is sought in the wrong place."""
    table = ChunkTable()
    slots, salt = table.levels.all[0].slots, table.levels.all[0].salt
    last = ((slots - 1) ^ salt).to_bytes(8, "little")
    ids = [bytes(8) + b"12345678", *_ids(10, 20_000), *(last + each[8:] for each in _ids(11, 1500))]
    ids += _ids(12, 60_000)  # more than the first level has room for
    model = dict(zip(ids, range(1, 2**40), strict=False))
    packed = b"".join(chunk_id + b"size" for chunk_id in ids)
    for part, numbers in ((20_001, count(1)), (300, repeat(5)), (len(ids), count(1))):
        table.add_all(packed[: part * 20], 20, numbers)
        known = max(part, 20_001)
        assert [table.get(each) for each in ids[:known]] == list(model.values())[:known]
        assert len(table) == known
    assert not any(table.get(chunk_id) for chunk_id in _ids(13, 1000))


def test_a_dict_is_filled_as_a_table_is() -> None:
    """Else a chunk is sought in a pack that cannot be opened, though another one has it."""
    ids, known = _ids(6, 300), dict[bytes, int]()
    filling = Filling(known)
    filling.add(b"".join(chunk_id + b"size" for chunk_id in ids[:100]), 7)
    filling.flush()
    filling.add(b"".join(chunk_id + b"size" for chunk_id in ids), 2**40, 1)
    filling.flush()
    later = zip(ids[100:], range(2**40 + 100, 2**41), strict=False)
    assert known == dict.fromkeys(ids[:100], 7) | dict(later)


def test_processes_share_it_without_a_lock() -> None:
    """Else a chunk that nobody stored is left out of a backup: the worst that can happen."""
    table = ChunkTable()
    stored = _ids(5, 30_000)
    for number, chunk_id in enumerate(stored, 1):
        table.add(chunk_id, number)
    seeds = ["10", "11", "10"]  # two of them enter the same ids at the same time
    children = [
        subprocess.Popen(
            [sys.executable, "-c", HAMMER, str(table.descriptor), seed],
            pass_fds=[table.descriptor],
            stdout=subprocess.PIPE,
        )
        for seed in seeds
    ]
    for child in children:
        told = child.communicate(timeout=120)[0]
        again, missed, wrong = map(int, told.split())
        assert (child.returncode, wrong) == (0, 0)
        assert missed < 600
        assert again < 30_001
    assert [table.get(chunk_id) for chunk_id in stored] == list(range(1, 30_001))
    added = [*_ids(10, 30_000), *_ids(11, 30_000)]
    assert sum(table.get(chunk_id) == 0 for chunk_id in added) > 59_000
    assert 89_000 < len(table) < 121_000


def test_a_saved_table_is_mapped(tmp_path: Path) -> None:
    """Else the cache of unchanged files is no use, or a damaged one stops a backup."""
    table, ids, path = ChunkTable(), _ids(6, 50_000), tmp_path / "table"
    for number, chunk_id in enumerate(ids):
        table.add(chunk_id, number)
    with path.open("wb") as file:
        table.save(file)
    loaded = ChunkTable.load(path)
    assert [loaded.get(chunk_id) for chunk_id in ids] == list(range(50_000))
    assert (len(loaded), loaded.get(bytes(16))) == (50_000, None)
    full = path.read_bytes()[:4096] + b"\1" * (path.stat().st_size - 4096)
    (tmp_path / "full").write_bytes(full)
    with pytest.raises(ValueError, match="no end"):
        ChunkTable.load(tmp_path / "full")
    with path.open("r+b") as file:
        file.seek(56)
        file.write(b"\xff" * 8)
    with pytest.raises(ValueError, match="more than fits"):
        ChunkTable.load(path)
    for size in (0, 10, 4096, path.stat().st_size - 1):
        os.truncate(path, size)
        with pytest.raises(ValueError, match=r"no table|empty"):
            ChunkTable.load(path)


def test_what_any_process_relies_on_counts() -> None:
    """Else prune could take the chunks that a backup of several processes rests on."""
    key, ids = bytes(16), _ids(7, 5)
    packs = [bytes([number]) * 32 for number in range(4)]
    entries = [
        PackEntry(pack, key, 0, 0, Directory(CONTENT, b"", pack_chunks([(chunk_id, 9)])))
        for pack, chunk_id in zip(packs, ids, strict=False)
    ]
    known = KnownPacks([Segment("index/a", tuple(entries))], set(packs), {key})
    worker = KnownChunks.attach(known.table.descriptor, known.packs)
    assert [worker.note(ids[number]) for number in (0, 4, 4)] == [True, False, True]
    assert not worker.rely(bytes(16))
    assert worker.rely_all(ids[1] + ids[4], 16)
    assert known.rely(ids[3])
    assert known.note(ids[4])
    known.merge(bytes(worker.marks))
    assert known.relied() == {packs[0], packs[1], packs[3]}
