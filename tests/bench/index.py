"""Measures what could hold the index of chunks, each in a process of its own.

Usage: PYTHONPATH=tests python -m bench.index [--chunks N ...]

Prints a Markdown table; the times are those of the processor. ``lmdb`` is measured where it is
installed.
"""

import argparse
import importlib
import importlib.util
import json
import random
import subprocess
import sys
import tempfile
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from common.repository.index.filling import Filling
from common.repository.index.table import ChunkTable

_ID, _CHUNK = 16, 20
_PACK = 1000
_LOOKUPS = 200_000
_ROUNDS = 3
_MINUTES = 30


class Index(Protocol):
    """One way to hold the index. It is made in an empty folder, or where it was saved."""

    def build(self, packs: Sequence[bytes]) -> None:
        """Take the chunks of these packs, 20 bytes each."""

    def save(self) -> None:
        """Keep it for another process; one that cannot takes the packs again."""

    def load(self) -> bool:
        """Get what was kept, if that is possible."""

    def get(self, chunk_id: bytes) -> int | None:
        """The number of a chunk's pack."""


class Dict:
    """A dict from bytes to int."""

    def __init__(self, folder: Path) -> None:
        del folder
        self.get: Callable[[bytes], int | None] = lambda _: None

    def build(self, packs: Sequence[bytes]) -> None:
        """One by one."""
        found: dict[bytes, int] = {}
        for number, packed in enumerate(packs):
            for start in range(0, len(packed), _CHUNK):
                found[packed[start : start + _ID]] = number
        self.get = found.get

    def save(self) -> None:
        """It can only be made again."""

    def load(self) -> bool:
        """It can only be made again."""
        return False


class Sorted:
    """Arrays of words in order, looked up by bisection."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "sorted"
        self._words: list[memoryview] = []

    def build(self, packs: Sequence[bytes]) -> None:
        """Sort by the first word, with numpy."""
        rows = np.frombuffer(b"".join(packs), np.dtype([("ids", "<u8", 2), ("length", "<u4")]))
        counts = [len(packed) // _CHUNK for packed in packs]
        numbers = np.repeat(np.arange(len(packs), dtype=np.uint64), counts)
        order = np.argsort(rows["ids"][:, 0])
        columns = (rows["ids"][:, 0], rows["ids"][:, 1], numbers)
        self._words = [column[order].data for column in columns]

    def save(self) -> None:
        """The three arrays, one after another."""
        with self._path.open("wb") as file:
            for column in self._words:
                file.write(column)

    def load(self) -> bool:
        """Map them."""
        size = self._path.stat().st_size // 3
        self._words = [
            np.memmap(self._path, np.uint64, "r", place * size, (size // 8,)).data
            for place in range(3)
        ]
        return True

    def get(self, chunk_id: bytes) -> int | None:
        """Bisect."""
        low, high = array("Q", chunk_id)
        words, others, numbers = self._words
        at = bisect_left(words, low)
        while at < len(words) and words[at] == low:
            if others[at] == high:
                return int(numbers[at])
            at += 1
        return None


class Table:
    """The table that the engine uses, filled by numpy."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "table"
        self._table = ChunkTable()

    def build(self, packs: Sequence[bytes]) -> None:
        """As the engine does when it opens a repository."""
        self._table = ChunkTable(sum(len(packed) for packed in packs) // _CHUNK)
        filling = Filling(self._table)
        for number, packed in enumerate(packs):
            filling.add(packed, number)
        filling.flush()

    def save(self) -> None:
        """The block as it is."""
        with self._path.open("wb") as file:
            self._table.save(file)

    def load(self) -> bool:
        """Map the block."""
        self._table = ChunkTable.load(self._path)
        return True

    def get(self, chunk_id: bytes) -> int | None:
        """Probe."""
        return self._table.get(chunk_id)


class PlainTable(Table):
    """The same table, filled one by one."""

    def build(self, packs: Sequence[bytes]) -> None:
        """Without numpy."""
        self._table = ChunkTable(sum(len(packed) for packed in packs) // _CHUNK)
        for number, packed in enumerate(packs):
            for start in range(0, len(packed), _CHUNK):
                self._table.add(packed[start : start + _ID], number)


class Lmdb:
    """A B+ tree in a file."""

    def __init__(self, folder: Path) -> None:
        lmdb = importlib.import_module("lmdb")
        self._environment: Any = lmdb.open(str(folder), map_size=2**34, sync=False)
        self._reading: Any = self._environment.begin()

    def build(self, packs: Sequence[bytes]) -> None:
        """In the order of the packs, in one transaction, without fsync."""
        with self._environment.begin(write=True) as writing, writing.cursor() as cursor:
            for number, packed in enumerate(packs):
                value = number.to_bytes(8, "little")
                starts = range(0, len(packed), _CHUNK)
                cursor.putmulti([(packed[start : start + _ID], value) for start in starts])
        self._reading = self._environment.begin()

    def save(self) -> None:
        """It is in its file."""

    def load(self) -> bool:
        """It was opened."""
        return True

    def get(self, chunk_id: bytes) -> int | None:
        """Look it up in a transaction that is open."""
        found = self._reading.get(chunk_id)
        return None if found is None else int.from_bytes(found, "little")


KINDS: dict[str, Callable[[Path], Index]] = {
    "dict": Dict,
    "sorted array": Sorted,
    "table, one by one": PlainTable,
    "table, by numpy": Table,
    "LMDB": Lmdb,
}


def packs(chunks: int) -> list[bytes]:
    """The same chunks every time, as directories of packs hold them."""
    chosen = random.Random(1)
    return [chosen.randbytes(_CHUNK * _PACK) for _ in range(0, chunks, _PACK)]


def build(kind: str, chunks: int, folder: Path) -> dict[str, float]:
    """What it costs to make it, how much memory it takes, and how long a look-up in it lasts."""
    given = packs(chunks)
    index = KINDS[kind](folder)
    before = _memory()
    seconds = _timed(lambda: index.build(given))
    memory = _memory() - before
    chosen = random.Random(2)
    places = [chosen.randrange(_PACK) * _CHUNK for _ in range(_LOOKUPS)]
    hits = [chosen.choice(given)[place : place + _ID] for place in places]
    misses = [chosen.randbytes(_ID) for _ in range(_LOOKUPS)]
    if None in map(index.get, hits) or set(map(index.get, misses)) != {None}:
        raise ValueError(f"{kind} is wrong.")
    found = {
        "build": seconds,
        "memory": memory,
        "hit": min(_timed(lambda: [*map(index.get, hits)]) for _ in range(_ROUNDS)) / _LOOKUPS,
        "miss": min(_timed(lambda: [*map(index.get, misses)]) for _ in range(_ROUNDS)) / _LOOKUPS,
    }
    index.save()
    return found


def load(kind: str, chunks: int, folder: Path) -> dict[str, float]:
    """How long another process takes until it can look up."""
    index = KINDS[kind](folder)
    loaded = False

    def use() -> None:
        nonlocal loaded
        loaded = index.load()
        if loaded:
            index.get(bytes(range(_ID)))

    seconds = _timed(use)
    return {"load": seconds} if loaded else {}


def report(counts: Sequence[int]) -> None:
    """Print a table of all kinds."""
    _say("| index | chunks | build s | load s | hit ns | miss ns | memory MB |")
    _say("|---|---:|---:|---:|---:|---:|---:|")
    for chunks in counts:
        for kind in KINDS:
            if kind == "LMDB" and importlib.util.find_spec("lmdb") is None:
                continue
            with tempfile.TemporaryDirectory() as folder:
                found = _apart("build", kind, chunks, folder) | _apart("load", kind, chunks, folder)
            again = found.get("load", found["build"])
            _say(
                f"| {kind} | {chunks:,} | {found['build']:.1f} | {again:.1f} | "
                f"{found['hit'] * 1e9:.0f} | {found['miss'] * 1e9:.0f} | {found['memory']:.0f} |"
            )


def _apart(phase: str, kind: str, chunks: int, folder: str) -> dict[str, float]:
    words = [sys.executable, "-m", "bench.index", "--phase", phase, kind, str(chunks), folder]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, timeout=60 * _MINUTES)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _timed(act: Callable[[], object]) -> float:
    start = time.process_time()
    act()
    return time.process_time() - start


def _memory() -> float:
    """The proportional memory of this process in MB."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def main() -> None:
    """Measure all, or as a child one phase of one kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--phase", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.phase is None:
        report(given.chunks)
        return
    phase, kind, chunks, folder = given.phase
    measure = {"build": build, "load": load}[phase]
    _say(json.dumps(measure(kind, int(chunks), Path(folder))))


if __name__ == "__main__":
    main()
