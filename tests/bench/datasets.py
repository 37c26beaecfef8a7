"""Deterministic data to measure with: the same seed makes the same bytes on every machine.

Content is neither all text nor all noise: words drawn by Zipf's law compress about as prose and
source code do, records about as database files, and random bytes stand for media and archives.

``scale`` shrinks a set, to try the measurement itself; figures come from scale 1.
"""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

MIB = 1 << 20
_ROWS_PER_BLOCK = 1000
_BLOCK = 4 * MIB
DUMP = "dump.sql"


def words(rng: random.Random) -> Callable[[int], bytes]:
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    weights = [len(letters) - i for i in range(len(letters))]
    vocabulary = ["".join(rng.choices(letters, weights, k=rng.randint(2, 11))) for _ in range(8000)]
    cumulative, total = [], 0.0
    for rank in range(1, len(vocabulary) + 1):
        total += 1 / rank
        cumulative.append(total)

    def text(size: int) -> bytes:
        words = rng.choices(vocabulary, cum_weights=cumulative, k=size // 5 + 8)
        return " ".join(words).encode()[:size]

    return text


def records(rng: random.Random, size: int) -> Iterator[bytes]:
    """Rows as a database file holds them: sequential keys, few distinct values, some noise."""
    made, key = 0, 0
    while made < size:
        rows = []
        for _ in range(_ROWS_PER_BLOCK):
            key += 1
            rows.append(
                b"%012d|%08x|item-%05d|%s\n"
                % (key, rng.getrandbits(32), rng.randrange(20000), rng.randbytes(12).hex().encode())
            )
        block = b"".join(rows)[: size - made]
        made += len(block)
        yield block


def _noise(rng: random.Random, size: int) -> Iterator[bytes]:
    for start in range(0, size, _BLOCK):
        yield rng.randbytes(min(_BLOCK, size - start))


def _write(path: Path, blocks: Iterator[bytes]) -> None:
    with path.open("wb") as file:
        for block in blocks:
            file.write(block)


def mixed(root: Path, scale: float = 1) -> None:
    """1.9 GB in 34 000 files: sources, documents, media, and two files of over 200 MB."""
    rng = random.Random(1)
    text = words(rng)
    for i in range(int(30_000 * scale)):
        folder = root / "src" / f"package{i % 300:03}" / f"module{i // 300 % 10}"
        folder.mkdir(parents=True, exist_ok=True)
        size = min(200_000, int(rng.lognormvariate(8.3, 1.1)) + 40)
        (folder / f"file{i:05}.txt").write_bytes(text(size))
    for i in range(int(3_900 * scale)):
        folder = root / "documents" / f"{i % 60:02}"
        folder.mkdir(parents=True, exist_ok=True)
        size = rng.randrange(20_000, 380_000)
        data = text(size) if i % 2 else rng.randbytes(size)
        (folder / f"document{i:04}.bin").write_bytes(data)
    media = root / "media"
    media.mkdir()
    for i in range(int(60 * scale)):
        _write(media / f"clip{i:02}.mp4", _noise(rng, rng.randrange(1, 12) * MIB))
    _write(media / "till.db", records(rng, int(240 * MIB * scale)))
    _write(media / "film.mkv", _noise(rng, int(200 * MIB * scale)))


def mixed_changed(root: Path) -> None:
    """What a day does to the mixed tree: 1 % changed, 2 % new, bytes inserted at a front."""
    rng = random.Random(2)
    text = words(rng)
    files = sorted(p for p in root.rglob("*.txt"))
    for path in rng.sample(files, len(files) // 100):
        path.write_bytes(path.read_bytes()[:100] + text(500) + path.read_bytes()[100:])
    new = root / "new"
    new.mkdir()
    for i in range(len(files) // 50):
        (new / f"file{i:04}.txt").write_bytes(text(rng.randrange(400, 20_000)))
    grown = root / "media" / "till.db"
    shifted = grown.with_suffix(".shifted")
    with grown.open("rb") as old, shifted.open("wb") as file:
        file.write(b"-- inserted at the front --\n")
        shutil.copyfileobj(old, file, _BLOCK)
    shifted.replace(grown)


def dump(root: Path, scale: float = 1) -> None:
    """A 1 GB SQL dump: COPY blocks of many tables."""
    _write_dump(root / DUMP, scale, change_every=0)


def next_dump(root: Path, scale: float = 1) -> None:
    """The dump of the next day: one row in a hundred differs, in runs as updates make them."""
    _write_dump(root / DUMP, scale, change_every=100)


def _write_dump(path: Path, scale: float, change_every: int) -> None:
    rng, other = random.Random(3), random.Random(4)
    with path.open("wb") as file:
        for table in range(40):
            file.write(b"COPY public.table_%02d (id, customer, price, note) FROM stdin;\n" % table)
            for block in range(max(1, int(385 * scale))):
                rows = b"".join(_row(rng, table, block, i) for i in range(_ROWS_PER_BLOCK))
                if change_every and block % change_every == 0:
                    rows = b"".join(_row(other, table, block, i) for i in range(_ROWS_PER_BLOCK))
                file.write(rows)
            file.write(b"\\.\n\n")


def _row(rng: random.Random, table: int, block: int, row: int) -> bytes:
    number = block * _ROWS_PER_BLOCK + row
    return b"%d\tcustomer-%06d\t%d.%02d\t%s of table %d\t2026-%02d-%02d\n" % (
        number, rng.randrange(100_000), rng.randrange(500), rng.randrange(100),
        b"%016x" % rng.getrandbits(64), table, number % 12 + 1, number % 28 + 1,
    )  # fmt: skip


def tiny(root: Path, count: int) -> None:
    """``count`` files of 50 to 1500 bytes, 250 in a folder."""
    rng = random.Random(5)
    text = words(rng)
    pool = text(8 * MIB)
    for i in range(count):
        if i % 250 == 0:
            folder = root / f"{i // 25_000:03}" / f"{i // 250 % 100:02}"
            folder.mkdir(parents=True)
        start = rng.randrange(len(pool) - 1500)
        content = b"%d:" % i + pool[start : start + rng.randrange(50, 1500)]
        (folder / f"{i:07}").write_bytes(content)


def sparse(root: Path, scale: float = 1) -> None:
    """A 20 GB image of which 200 MB are data, in 100 places."""
    rng = random.Random(6)
    with (root / "disk.img").open("wb") as file:
        file.truncate(int((20 << 30) * scale))
        for i in range(int(100 * scale)):
            file.seek(i * (200 * MIB))
            file.write(rng.randbytes(2 * MIB))


def cached(folder: Path, name: str, make: Callable[[Path], None]) -> Path:
    """The data set ``name`` below ``folder``, made only once: complete ones are renamed there."""
    place = folder / name
    if not place.exists():
        unfinished = folder / f".{name}"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        make(unfinished)
        os.sync()
        unfinished.rename(place)
    return place
