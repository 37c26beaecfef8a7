"""What each primitive of the engine costs, one thread, in CPU time: others cannot disturb it.

    PYTHONPATH=tests .venv/bin/python -m bench.primitives [NAME REPEATS]

With a name, that one alone runs so often and nothing is timed: what ``counting`` has counted.
"""

import hashlib
import itertools
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyfastcdc
import zstandard
from blake3 import blake3

from bench import counting, datasets
from common.crypto.aead import NumberedSeal
from common.repository.entry import Entry, EntryType
from common.repository.format.block import BlockBuilder
from common.repository.format.chunklist import ChunkList
from common.repository.format.cutting import ChunkerParameters
from common.repository.index.table import ChunkTable

MIB = 1 << 20
_SAMPLE = 12 * MIB
_IDS = 100_000
_ENTRIES = 2_000
_SECONDS = 0.25
_TIMES = 7

Work = Callable[[], None]


@dataclass(frozen=True)
class Primitive:
    """``prepare`` makes what does the work once: ``amount`` bytes or operations of it."""

    name: str
    amount: int
    unit: str
    prepare: Callable[[], Work]
    counted: bool = False


def _pieces() -> list[bytes]:
    """Pieces of 1 MiB: a third words, a third records, a third noise."""
    rng = random.Random(7)
    text = datasets.words(rng)(_SAMPLE // 3)
    records = b"".join(datasets.records(rng, _SAMPLE // 3))
    whole = text + records + rng.randbytes(_SAMPLE // 3)
    return [whole[place : place + MIB] for place in range(0, _SAMPLE, MIB)]


def _each(function: Callable[[bytes], object]) -> Callable[[], Work]:
    """Work that does this with each piece."""

    def prepare() -> Work:
        pieces = _pieces()

        def work() -> None:
            for piece in pieces:
                function(piece)

        return work

    return prepare


def _cut() -> Work:
    parameters = ChunkerParameters()
    cutter: Any = pyfastcdc.FastCDC(
        parameters.average, min_size=parameters.minimum, max_size=parameters.maximum,
        normalized_chunking=parameters.normalization, seed=7,  # type: ignore[arg-type]
    )  # fmt: skip
    data = memoryview(b"".join(_pieces()))

    def work() -> None:
        for _ in cutter.cut_buf(data):
            pass

    return work


def _compress(level: int) -> Callable[[], Work]:
    return _each(zstandard.ZstdCompressor(level=level).compress)


def _expand() -> Work:
    compressed = [zstandard.ZstdCompressor(level=3).compress(piece) for piece in _pieces()]
    decompressor = zstandard.ZstdDecompressor()

    def work() -> None:
        for piece in compressed:
            decompressor.decompress(piece)

    return work


def _seal() -> Callable[[bytes], object]:
    seal, numbers = NumberedSeal(bytes(32)), itertools.count()
    return lambda piece: seal.seal(next(numbers), piece, b"context")


def _ids(seed: int) -> list[bytes]:
    rng = random.Random(seed)
    return [rng.randbytes(16) for _ in range(_IDS)]


def _table() -> ChunkTable:
    table = ChunkTable(10 * _IDS)
    for chunk_id in _ids(0):
        table.add(chunk_id, 1)
    return table


def _look_up(seed: int) -> Callable[[], Work]:
    def prepare() -> Work:
        table, ids = _table(), _ids(seed)

        def work() -> None:
            for chunk_id in ids:
                table.get(chunk_id)

        return work

    return prepare


def _pack_files() -> Work:
    paths = [b"srv/data/%02d/%07d" % (number // 250, number) for number in range(_ENTRIES)]
    chunk_ids = _ids(2)[:_ENTRIES]
    owner, modified = (1000, 1000, "owner", "group"), 1_700_000_000_123_456_789

    def work() -> None:
        builder = BlockBuilder()
        for path, chunk_id in zip(paths, chunk_ids, strict=True):
            if builder.add_plain(path, owner, 0o644, modified, 700, chunk_id):
                builder.take()

    return work


def _pack_entries() -> Work:
    made = [
        Entry(
            b"srv/data/%02d/%07d" % (number // 250, number), EntryType.SYMLINK, target=b"../there"
        )
        for number in range(_ENTRIES)
    ]
    content = ChunkList()

    def work() -> None:
        builder = BlockBuilder()
        for entry in made:
            if builder.add(entry, content):
                builder.take()

    return work


def _sha256(piece: bytes) -> bytes:
    return hashlib.sha256(piece).digest()


_KEY = bytes(range(32))
PRIMITIVES = [
    Primitive("FastCDC 256 KiB / 1 MiB / 4 MiB, keyed", _SAMPLE, "bytes", _cut, counted=True),
    Primitive("BLAKE3, keyed", _SAMPLE, "bytes", _each(lambda x: blake3(x, key=_KEY).digest())),
    Primitive("SHA-256 (not used; to compare)", _SAMPLE, "bytes", _each(_sha256)),
    Primitive("AES-256-GCM, seal", _SAMPLE, "bytes", _each(_seal())),
    *(Primitive(f"zstd {n}, compress", _SAMPLE, "bytes", _compress(n)) for n in (1, 2, 3)),
    Primitive("zstd 3, expand", _SAMPLE, "bytes", _expand),
    Primitive("table of chunk ids, found", _IDS, "operations", _look_up(0), counted=True),
    Primitive("table of chunk ids, not there", _IDS, "operations", _look_up(1), counted=True),
    Primitive("entry of a tree, small file", _ENTRIES, "operations", _pack_files, counted=True),
    Primitive("entry of a tree, symlink", _ENTRIES, "operations", _pack_entries, counted=True),
]  # fmt: skip


def measure() -> dict[str, Any]:
    """A row for each primitive."""
    return {"rows": [_row(primitive) for primitive in PRIMITIVES]}


def count() -> dict[str, Any]:
    """The instructions of those primitives that are too short to be timed well."""
    found = {}
    for each in PRIMITIVES:
        if each.counted and (counted := counting.instructions(each.name)) is not None:
            found[each.name] = f"{counted / each.amount:,.1f} per {each.unit[:-1]}"
            print(each.name, found[each.name], flush=True)  # noqa: T201 - progress of a command
    return {"counted": found}


def _row(primitive: Primitive) -> dict[str, str]:
    work = primitive.prepare()
    work()
    seconds = sorted(_timed(work))
    speeds = [_speed(primitive, each) for each in (seconds[0], seconds[-1])]
    row = {
        "name": primitive.name,
        "speed": _speed(primitive, statistics.median(seconds)),
        "spread": f"{speeds[0]} to {speeds[1]}",
    }
    print(*row.values(), sep="  ", flush=True)  # noqa: T201 - progress of a command
    return row


def _timed(work: Work) -> Iterator[float]:
    """CPU seconds of one piece of work, several times, each the mean over a while."""
    for _ in range(_TIMES):
        begin, done = time.process_time(), 0
        while (taken := time.process_time() - begin) < _SECONDS:
            work()
            done += 1
        yield taken / done


def _speed(primitive: Primitive, seconds: float) -> str:
    if primitive.unit == "bytes":
        return f"{primitive.amount / seconds / 1e6:,.0f} MB/s"
    return f"{seconds / primitive.amount * 1e9:,.0f} ns"


def main() -> None:
    """Run one primitive so often."""
    name, repeats = sys.argv[1:]
    work = next(each for each in PRIMITIVES if each.name == name).prepare()
    for _ in range(int(repeats)):
        work()


if __name__ == "__main__":
    main()
