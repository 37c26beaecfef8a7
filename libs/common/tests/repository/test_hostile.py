"""Hostile bytes: whoever can write to the storage can only cause ``Corrupt``."""

import json
import struct
import zlib
from collections.abc import Callable
from functools import partial

import lz4.block
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import Corrupt, Invalid
from common.repository.entry import Entry, EntryType, check_path, check_paths
from common.repository.format import snapshot as snapshot_module
from common.repository.format.abandonment import is_abandoned
from common.repository.format.block import BlockBuilder
from common.repository.format.blockreader import parse_block
from common.repository.format.chunklist import ChunkList, pack_items, parse_items
from common.repository.format.codec import MAX_RECORD, Codec
from common.repository.format.config import RepositoryConfig
from common.repository.format.expansion import expand
from common.repository.format.index import PackEntry, open_segment, seal_segment
from common.repository.format.names import Kind
from common.repository.format.pack import (
    Directory,
    PackHeader,
)
from common.repository.format.snapshot import (
    open_snapshot,
    seal_snapshot,
)
from common.repository.format.wrappedkey import parse_run_key
from format_samples import KEYS, directory, run_key, snapshots


@pytest.mark.parametrize(
    ("codec", "data"),
    [
        (Codec.ZSTD, zstandard.ZstdCompressor().compress(bytes(10**8))),
        (Codec.ZSTD, zstandard.ZstdCompressor(write_content_size=False).compress(bytes(10**7))),
        (Codec.ZLIB, zlib.compress(bytes(10**8))),
        (Codec.LZ4, lz4.block.compress(bytes(10**8), store_size=False)),
        (Codec.ZSTD, b""),
        (Codec.ZLIB, b""),
        (Codec.LZ4, b""),
        (9, b"x"),
    ],
)
def test_a_record_expands_to_its_length_or_not_at_all(codec: int, data: bytes) -> None:
    """Else a small hostile record fills the memory."""
    for size in (1000, 0, MAX_RECORD + 1):
        with pytest.raises(Corrupt):
            expand(codec, data, size)


def parsers() -> list[tuple[Callable[[bytes], object], bytes]]:
    """Everything that reads bytes, with bytes that it reads."""
    builder = BlockBuilder()
    builder.add(Entry(b"a/b", EntryType.SYMLINK, target=b"c"), ChunkList())
    builder.add(
        Entry(b"a/c", EntryType.FILE, size=9, extents=((0, 5),)), ChunkList(0, 5, ((b"i" * 16, 5),))
    )
    builder.add(
        Entry(b"a/d", EntryType.FILE, size=7, xattrs=((b"n", b"v"),)),
        ChunkList(0, 7, ((b"j" * 16, 3), (b"k" * 16, 4))),
    )
    found = directory([[5, 6], [7]])
    run, key, name = run_key()
    entry = PackEntry(bytes(32), bytes(16), found.size(), 0, found)
    return [
        (RepositoryConfig.parse, RepositoryConfig.create("key", writer_key=bytes(32))),
        (lambda data: parse_run_key(data, name, KEYS), key),
        (lambda data: is_abandoned(data, run, KEYS), key),
        (lambda data: open_segment(data, "x", KEYS.index), seal_segment([entry], KEYS.index)),
        (
            lambda data: open_snapshot(data, "x", KEYS.chain),
            seal_snapshot(snapshots()[0], KEYS.chain),
        ),
        (lambda data: Directory.parse(data, "x"), found.pack()),
        (lambda data: PackHeader.parse(data, "x"), PackHeader.new(bytes(16)).pack()),
        (lambda data: parse_block(data, "x"), builder.take()),
        (lambda data: list(parse_items(data, "x")), pack_items([(bytes(16), 1)])),
    ]


@settings(max_examples=400)
@given(st.data())
def test_hostile_bytes_are_corrupt_and_nothing_else(data: st.DataObject) -> None:
    """Else whoever has the storage crashes or hangs the service that reads it."""
    parse, good = data.draw(st.sampled_from(PARSERS))
    parse(good)
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        match data.draw(st.sampled_from(["flip", "cut", "add", "number"])):
            case "flip" if bad:
                bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
            case "cut":
                del bad[data.draw(st.integers(0, len(bad))) :]
            case "number" if len(bad) > 8:
                place = data.draw(st.integers(0, len(bad) - 4))
                bad[place : place + 4] = struct.pack("<I", data.draw(st.integers(2**31, 2**32 - 1)))
            case _:
                bad += data.draw(st.binary(max_size=8))
    try:
        parse(bytes(bad))
    except Corrupt:
        return


PARSERS = parsers()


@settings(max_examples=300)
@given(st.data())
def test_hostile_bodies_are_corrupt_and_nothing_else(data: st.DataObject) -> None:
    """Else a stolen writer key crashes every reader by a well-sealed senseless body."""
    body = json.loads(json.dumps(BODY))
    target = body
    while isinstance(target, (dict, list)) and target:
        keys = list(target) if isinstance(target, dict) else list(range(len(target)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(target[key], (dict, list)) or not target[key] or data.draw(st.booleans()):
            target[key] = data.draw(JSON_VALUES)
            break
        target = target[key]
    try:
        open_snapshot(reseal(body), "x", KEYS.chain)
    except Corrupt:
        return


def reseal(body: dict[str, object]) -> bytes:
    """A snapshot with this body, sealed as a holder of the writer key would."""
    start = Kind.SNAPSHOT.magic + bytes(32)
    return start + snapshot_module._seal(start, KEYS.chain).seal(
        0, json.dumps(body).encode(), start
    )


def body_of(data: bytes) -> dict[str, object]:
    start = data[: snapshot_module._START]
    text = snapshot_module._seal(start, KEYS.chain).open(0, data[snapshot_module._START :], start)
    return dict(json.loads(text))


BODY = body_of(seal_snapshot(snapshots()[0], KEYS.chain))
JSON_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=10),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


ONE_CHUNK = ChunkList(0, 5, ((b"i" * 16, 5),))


@pytest.mark.parametrize(
    "path", [b"/etc/passwd", b"..", b"a/../../b", b"a//b", b"a/", b"./a", b"a\0b", b"a\0/b"]
)
@pytest.mark.parametrize(
    ("kind", "size", "content"),
    [(EntryType.DIRECTORY, 0, ChunkList()), (EntryType.FILE, 5, ONE_CHUNK)],
)
def test_a_path_that_could_escape_is_refused_when_it_is_read(
    path: bytes, kind: EntryType, size: int, content: ChunkList
) -> None:
    """Else a restore writes outside of its target."""
    builder = BlockBuilder()
    builder.add(Entry(b"+", kind, size=size), content)
    builder.add(Entry(path, kind, size=size), content)
    builder.add(Entry(b"z", kind, size=size), content)
    with pytest.raises(Corrupt):
        parse_block(builder.take(), "x")


@pytest.mark.parametrize(
    "entry",
    [
        Entry(b"a", EntryType.FILE, size=2**63, extents=()),
        Entry(b"a", EntryType.CHARACTER, device=(2**31, 0)),
        Entry(b"a", EntryType.BLOCK, device=(0, 2**32 - 1)),
    ],
)
def test_a_number_that_no_system_call_takes_is_refused_when_it_is_read(entry: Entry) -> None:
    """Lost: a whole restore, which ends at such a file, each time that it is begun again."""
    builder = BlockBuilder()
    builder.add(entry, ChunkList())
    with pytest.raises(Corrupt, match="x has an entry that is not acceptable"):
        parse_block(builder.take(), "x")


@pytest.mark.parametrize("content", [ChunkList(), ONE_CHUNK])
def test_a_time_with_more_than_a_second_of_nanoseconds_is_refused(content: ChunkList) -> None:
    """Lost: a whole restore, to a time that lies beyond the end of all times."""
    builder = BlockBuilder()
    builder.add(Entry(b"a", EntryType.FILE, size=content.size, mtime_ns=999_999_999), content)
    block = builder.take()
    assert parse_block(block, "x").entries[0].mtime_ns == 999_999_999
    place = block.index(struct.pack("<I", 999_999_999))
    bad = block[:place] + struct.pack("<I", 10**9) + block[place + 4 :]
    with pytest.raises(Corrupt, match="impossible numbers"):
        parse_block(bad, "x")


@given(st.lists(st.text("/.\0a", max_size=6).map(str.encode), max_size=5))
def test_many_paths_are_refused_for_one_of_them_alone(paths: list[bytes]) -> None:
    """Else a path gets by in company that would not get by alone, or the other way round."""

    def refused(check: Callable[[], None]) -> bool:
        try:
            check()
        except Invalid:
            return True
        return False

    assert refused(lambda: check_paths(paths)) == any(
        refused(partial(check_path, path)) for path in paths
    )


@pytest.mark.parametrize("retired", [2**36, 2**64 - 1])
def test_a_pack_retired_at_the_end_of_time_is_refused(retired: int) -> None:
    """Lost: every prune, to one number that is no time."""
    found = directory([[5]])
    entry = PackEntry(bytes(32), bytes(16), found.size(), 2**36 - 1, found)
    assert open_segment(seal_segment([entry], KEYS.index), "index/x", KEYS.index) == [entry]
    bad = seal_segment([entry._replace(retired=retired)], KEYS.index)
    with pytest.raises(Corrupt, match="index/x is damaged"):
        open_segment(bad, "index/x", KEYS.index)


def test_a_file_with_a_chunk_and_a_list_of_chunks_is_refused() -> None:
    """Lost: that all readers see the same file, by the one that reads only the first of the two."""
    builder = BlockBuilder()
    builder.add(Entry(b"a", EntryType.FILE, size=5), ONE_CHUNK)
    block = bytearray(builder.take())
    place = block.index(struct.pack("<BBHH", 0, 1, 0, 1))
    block[place + 1] = 3
    with pytest.raises(Corrupt, match="impossible flags"):
        parse_block(bytes(block), "x")
