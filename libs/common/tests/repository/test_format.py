"""The bytes of objects: what is written reads back, and hostile bytes are only ever Corrupt."""

import os

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from common.crypto.hpke import PrivateKey
from common.errors import Corrupt, Error
from common.repository.entry import Entry, EntryType
from common.repository.format.abandonment import is_abandoned, mark_abandoned
from common.repository.format.block import BlockBuilder, pack_warnings
from common.repository.format.blockreader import parse_block
from common.repository.format.chunklist import ChunkList, pack_items, parse_items
from common.repository.format.codec import MAX_RECORD, Compressor
from common.repository.format.config import FormerKey, RepositoryConfig
from common.repository.format.expansion import expand
from common.repository.format.index import PackEntry, open_segment, seal_segment
from common.repository.format.names import content_hash, kind_of, object_id
from common.repository.format.pack import (
    Directory,
    PackHeader,
    directory_place,
)
from common.repository.format.runkey import RunKey
from common.repository.format.snapshot import (
    Snapshot,
    open_snapshot,
    seal_snapshot,
)
from common.repository.format.wrappedkey import parse_run_key
from common.repository.format.writerkeys import WriterKeys
from format_samples import KEYS, NOW, PRIVATE, RUN, directory, run_key, snapshots
from vault import noise

chunk_ids = st.binary(min_size=16, max_size=16)
paths = st.lists(
    st.binary(min_size=1, max_size=20).filter(
        lambda part: b"/" not in part and b"\0" not in part and part not in {b".", b".."}
    ),
    min_size=1,
    max_size=5,
).map(b"/".join)


def test_no_secret_is_shown() -> None:
    """Lost: a key, to whoever reads a log or a traceback."""
    key, private = RunKey(bytes(16), b"run-" * 8), PrivateKey(b"seed" * 8)
    keys = WriterKeys(b"work" * 8, bytes(16))
    config = RepositoryConfig.parse(RepositoryConfig.create("correct horse battery staple"))
    former = FormerKey(config.public_key, config.private_key)
    shown = repr((key, private, keys, config._replace(former=(former,)), former))
    secrets = (key.key, private.seed, keys.writer_key, keys.index, keys.chain, config.private_key)
    assert not any(repr(each)[2:-1] in shown for each in (*secrets, config.writer_key))


directories = st.lists(
    st.lists(st.integers(1, 5000), min_size=1, max_size=5), min_size=1, max_size=5
).map(directory)


@given(st.lists(directories, max_size=4))
def test_segments_read_back(found: list[Directory]) -> None:
    """Else the index is lost."""
    entries = [PackEntry(os.urandom(32), bytes(16), d.size(), 5, d) for d in found]
    data = seal_segment(entries, KEYS.index)
    assert open_segment(data, "index/x", KEYS.index) == entries


@given(directories)
def test_packs_read_back(found: Directory) -> None:
    """Else data is lost; and a pack that is cut at a record does not open."""
    key = RunKey.generate()
    seal = PackHeader.new(key.key_id).seal(key.key)
    header = PackHeader.new(key.key_id)
    seal = header.seal(key.key)
    body = [seal.seal_record(n, b"record %d" % n) for n in range(len(found.records))]
    pack = b"".join([header.pack(), *body, seal.seal_directory(found)])
    again = PackHeader.parse(pack, "packs/x").seal(key.key)
    assert [again.open_record(n, part) for n, part in enumerate(body)] == [
        b"record %d" % n for n in range(len(body))
    ]
    start, length = directory_place(pack[-4:], len(pack), "packs/x")
    assert again.open_directory(pack[start : start + length], "packs/x") == found
    with pytest.raises(Corrupt):
        again.open_directory(body[0], "packs/x")


@pytest.mark.parametrize("snapshot", snapshots(), ids=["backup", "tombstone"])
def test_snapshots_read_back(snapshot: Snapshot) -> None:
    """Else a backup is lost."""
    assert open_snapshot(seal_snapshot(snapshot, KEYS.chain), "s", KEYS.chain) == snapshot


def test_run_keys_read_back() -> None:
    """Else all packs of a run are lost."""
    key, data, name = run_key()
    found = parse_run_key(data, name, KEYS)
    assert (found.run, found.created) == (RUN, NOW)
    assert found.unwrap(PRIVATE, PRIVATE.public.recipient) == key
    with pytest.raises(Corrupt, match="keys/"):
        parse_run_key(data, "keys/" + 32 * "0", KEYS)
    with pytest.raises(Corrupt):
        parse_run_key(data, name, WriterKeys(b"x" * 32, bytes(16)))


def test_the_mark_of_an_abandoned_run_reads_back() -> None:
    """Else a run that was taken for dead lists packs that prune has forgotten, or none can end."""
    key, data, name = run_key()
    marked = mark_abandoned(data, name, KEYS)
    assert not is_abandoned(data, key, KEYS)
    assert is_abandoned(marked, key, KEYS)
    assert parse_run_key(marked, name, KEYS).abandoned
    with pytest.raises(Corrupt, match=name):
        is_abandoned(run_key()[1], key, KEYS)
    with pytest.raises(Corrupt, match=name):
        is_abandoned(data, key, WriterKeys(b"x" * 32, bytes(16)))


@given(
    st.lists(st.tuples(paths, st.integers(-(2**62), 2**64), st.integers(0, 2**40)), max_size=30),
    st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=99)), max_size=3),
)
def test_blocks_read_back(
    rows: list[tuple[bytes, int, int]], xattrs: list[tuple[bytes, bytes]]
) -> None:
    """Else names, times or attributes are lost."""
    builder = BlockBuilder()
    entries = []
    for path, mtime, size in rows:
        content = (
            ChunkList(0, size, ((b"c" * 16, size),))
            if 0 < size < MAX_RECORD
            else ChunkList(2, size, ((b"d" * 16, 20),) * 2)
        )
        entry = Entry(path, EntryType.FILE, mtime_ns=mtime, size=size, xattrs=tuple(xattrs))
        builder.add(entry, content if size else ChunkList())
        entries.append((entry, content if size else ChunkList()))
    block = parse_block(builder.take(), "x")
    names = [name for name in Entry.__slots__ if name != "content"]
    for found, (entry, content) in zip(block.entries, entries, strict=True):
        assert [getattr(found, n) for n in names] == [getattr(entry, n) for n in names]
        assert found.content == content


@given(st.lists(st.text(max_size=50), max_size=5))
def test_warnings_read_back(texts: list[str]) -> None:
    """Else what went wrong in a backup is forgotten."""
    assert parse_block(pack_warnings(texts), "x").warnings == texts


@given(st.lists(st.tuples(chunk_ids, st.integers(1, MAX_RECORD)), max_size=10))
def test_chunk_lists_read_back(items: list[tuple[bytes, int]]) -> None:
    """Else long files are lost."""
    assert list(parse_items(pack_items(items), "x")) == items


@given(st.binary(min_size=1, max_size=5000), st.sampled_from(["zstd", "gzip", "lz4", "none"]))
def test_compression_reads_back(raw: bytes, compression: str) -> None:
    """Else data is lost."""
    codec, data = Compressor(compression, 9)(raw)  # type: ignore[arg-type] # drawn from its values
    assert bytes(expand(codec, data, len(raw))) == raw


@pytest.mark.parametrize("size", [256 * 1024, 256 * 1024 + 1, 3_000_000])
def test_large_records_cost_little_more_than_by_plain_zstd(size: int) -> None:
    """Else a faster backup is paid for with the disk, or a large record does not come back."""
    words = noise(16 * 4000)
    places = ((n * n + 7 * n) % 3989 * 16 for n in range(size // 16 + 1))
    raw = b"".join(words[place : place + 16] for place in places)[:size]
    codec, data = Compressor()(raw)
    assert bytes(expand(codec, data, len(raw))) == raw
    assert len(data) < 1.02 * len(zstandard.compress(raw, 3))


def test_names_say_what_an_object_is() -> None:
    """Else a stray file is taken for an object, or an object for a stray file."""
    digest = object_id(b"x").hex()
    assert content_hash(f"packs/{digest[:2]}/{digest}") == object_id(b"x")
    assert content_hash("config") is None
    for name in ("packs/00/" + digest, "index/x", "keys/" + digest, "Config", f"index/{digest}\n"):
        assert kind_of(name) is None


def test_a_newer_version_is_told_from_damage() -> None:
    """Else an old program calls a good repository of a newer one damaged."""
    data = bytearray(RepositoryConfig.create("key", writer_key=bytes(32)))
    data[6] = 2
    with pytest.raises(Error, match="version"):
        RepositoryConfig.parse(bytes(data))
