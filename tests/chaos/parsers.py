"""Everything that reads bytes of a repository, each with valid bytes, sealed by who has the keys.

Most readers see only what opened, so that a flipped bit ends at the seal. Here the mutation is
done inside, as a stolen writer key or a faulty writer would.
"""

from collections.abc import Callable
from dataclasses import dataclass

import common.repository.checking.check  # noqa: F401 - what is made orderly has to be there
from chaos.orderly import small_and_orderly
from common.errors import Corrupt
from common.repository.entry import Entry, EntryType
from common.repository.format import index, snapshot
from common.repository.format.block import BlockBuilder, pack_warnings
from common.repository.format.blockreader import (
    Lone,
    StoredEntry,
    parse_block,
    parse_references,
)
from common.repository.format.chunklist import ChunkList, pack_items, parse_items
from common.repository.format.codec import Codec, Compressor
from common.repository.format.config import RepositoryConfig
from common.repository.format.expansion import expand
from common.repository.format.frame import parse_frame
from common.repository.format.index import open_segment
from common.repository.format.names import Kind
from common.repository.format.pack import _LAST, Directory, PackHeader, directory_place
from common.repository.format.runkey import RunKey
from common.repository.format.snapshot import open_snapshot, seal_snapshot
from common.repository.format.wrappedkey import parse_run_key
from common.repository.format.writerkeys import config_mac_key
from common.repository.index.catalog import Segment
from common.repository.index.knownpacks import KnownPacks
from common.repository.objects import verify_object
from format_samples import KEYS, PRIVATE, directory, run_key, snapshots
from vault import noise

from blake3 import blake3  # isort: skip

NAME = "the object"
WRITER_KEY = bytes(32)


@dataclass(frozen=True, slots=True)
class Parser:
    """What reads, and what it reads; ``named`` when its errors must name the object."""

    name: str
    read: Callable[[bytes], object]
    corpus: tuple[bytes, ...]
    named: bool = True


def framed(kind: Kind, text: bytes, mac_key: bytes) -> bytes:
    """A frame around any text, with the MAC and checksum that fit."""
    signed = kind.magic + len(text).to_bytes(4, "little") + text
    authenticated = signed + blake3(signed, key=mac_key).digest()
    return authenticated + blake3(authenticated).digest()


def read_config(text: bytes) -> object:
    """``config`` with this body, authenticated and opened."""
    config = RepositoryConfig.parse(framed(Kind.CONFIG, text, config_mac_key(WRITER_KEY)))
    config.authenticate(WRITER_KEY)
    return config.recipients


def read_run_key(text: bytes) -> object:
    """A run key with this body, unwrapped."""
    wrapped = parse_run_key(framed(Kind.KEY, text, KEYS.key_mac), KEY_NAME, KEYS)
    return wrapped.unwrap(PRIVATE, PRIVATE.public.recipient)


def read_segment(body: bytes) -> object:
    """An index segment with this body; everything that the catalog asks of it."""
    start = Kind.INDEX.magic + bytes(32)
    sealed = start + index._seal(start, KEYS.index).seal(0, body, start)
    entries = open_segment(sealed, NAME, KEYS.index)
    return [(entry.size, list(entry.directory.records_with_chunks())) for entry in entries]


def read_known(body: bytes) -> object:
    """What a writer takes from a segment with this body: ids alone, the rest is not checked."""
    start = Kind.INDEX.magic + bytes(32)
    sealed = start + index._seal(start, KEYS.index).seal(0, body, start)
    entries = tuple(open_segment(sealed, NAME, KEYS.index, checked=False))
    packs, keys = {entry.pack_id for entry in entries}, {entry.key_id for entry in entries}
    return KnownPacks([Segment(NAME, entries)], packs, keys, len(sealed)).packs


def read_references(data: bytes) -> object:
    """A block by both of its readers, which agree on what it holds and on whether it is one."""
    refused, whole = None, []
    try:
        whole = [(entry.path, _chunk(entry)) for entry in parse_block(data, NAME).entries]
    except Corrupt as error:
        refused = error
    found = [(entry.path, _chunk(entry)) for entry in parse_references(data, NAME)]
    assert refused is None, refused
    assert found == whole
    return found


def _chunk(entry: Lone | StoredEntry) -> ChunkList:
    if isinstance(entry, Lone):
        return ChunkList(0, entry.length, ((entry.chunk_id, entry.length),))
    return entry.content


def read_snapshot(text: bytes) -> object:
    """A snapshot with this body."""
    start = Kind.SNAPSHOT.magic + bytes(32)
    sealed = start + snapshot._seal(start, KEYS.chain).seal(0, text, start)
    return open_snapshot(sealed, NAME, KEYS.chain)


def read_directory(body: bytes) -> object:
    """A pack's directory with these bytes."""
    seal = PackHeader(bytes(16), bytes(32)).seal(RunKey.generate().key)
    found = seal.open_directory(seal._seal.seal(_LAST, body, seal._final), NAME)
    return found.offsets(), found.size()


def read_pack_ends(data: bytes) -> object:
    """The clear parts of a pack, as a reader finds its directory."""
    PackHeader.parse(data, NAME)
    return directory_place(data[-4:], len(data), NAME)


def read_record(data: bytes) -> object:
    """A codec's number and the record by it, which should be of ``RECORD``'s length."""
    return expand(data[0], data[1:], len(RECORD)) if data else None


def blocks() -> tuple[bytes, ...]:
    """Blocks with every kind of entry, and one of warnings."""
    builder = BlockBuilder()
    one, many = (
        ChunkList(0, 5, ((b"i" * 16, 5),)),
        ChunkList(0, 7, ((b"j" * 16, 3), (b"k" * 16, 4))),
    )
    deep = ChunkList(2, 10**9, ((b"l" * 16, 4000), (b"m" * 16, 40)))
    for entry, content in (
        (Entry(b"", EntryType.DIRECTORY, user="root", group="root"), ChunkList()),
        (Entry(b"a/b", EntryType.SYMLINK, target=b"c"), ChunkList()),
        (Entry(b"a/c", EntryType.FILE, size=9, extents=((0, 2), (4, 3))), one),
        (Entry(b"a/d", EntryType.FILE, size=7, xattrs=((b"n", b"v"), (b"o", b""))), many),
        (Entry(b"a/e", EntryType.FILE, size=10**9), deep),
        (Entry(b"a/f", EntryType.HARDLINK, target=b"a/e"), ChunkList()),
        (Entry(b"a/g", EntryType.CHARACTER, device=(1, 3)), ChunkList()),
        (Entry(b"a/h", EntryType.FILE, mode=0o644, size=5), one),
        (Entry(b"a/i", EntryType.FILE, mode=0o644), ChunkList()),
    ):
        builder.add(entry, content)
    return builder.take(), pack_warnings(["one", "two"])


def body_of(data: bytes) -> bytes:
    """The text in a frame."""
    return data[12 : 12 + int.from_bytes(data[8:12], "little")]


def _segment_body() -> bytes:
    found = [directory([[5, 6], [7]]), directory([[9]])]
    rows = [
        index._ENTRY.pack(bytes([n]) * 32, bytes(16), each.size(), n, len(each.pack()))
        + each.pack()
        for n, each in enumerate(found)
    ]
    return index._COUNT.pack(len(rows)) + b"".join(rows)


def snapshot_bodies() -> tuple[bytes, ...]:
    """What is sealed in a backup's snapshot, and in a tombstone."""
    found = []
    for each in snapshots():
        data = seal_snapshot(each, KEYS.chain)
        start = data[: snapshot._START]
        found.append(snapshot._seal(start, KEYS.chain).open(0, data[len(start) :], start))
    return tuple(found)


RECORD = b"a line of a text\n" * 300 + noise(300)
with small_and_orderly():  # so that a seed means the same every day
    _, KEY_DATA, KEY_NAME = run_key()
    CONFIG = RepositoryConfig.create(
        "key", writer_key=WRITER_KEY, recovery=[("paper", PRIVATE.public)]
    )
    DIRECTORIES = (directory([[5, 6], [7]]).pack(), directory([[1] * 50]).pack())
    RECORDS = tuple(
        bytes([codec]) + bytes(data)
        for codec, data in (Compressor(each)(RECORD) for each in ("zstd", "gzip", "lz4", "none"))
    )
    ITEMS = (pack_items([(bytes(16), 1), (b"x" * 16, 99)]), pack_items([(b"y" * 16, 2**24)]))
    PACK = PackHeader.new(bytes(16)).pack() + noise(200) + (60).to_bytes(4, "little")

    PARSERS = (
        Parser("config", read_config, (body_of(CONFIG),), named=False),
        Parser("config's frame", lambda data: parse_frame(Kind.CONFIG, data, NAME), (CONFIG,)),
        Parser("checksum", lambda data: verify_object("config", [data]), (CONFIG,), named=False),
        Parser("run key", read_run_key, (body_of(KEY_DATA),), named=False),
        Parser("segment", read_segment, (_segment_body(),)),
        Parser("known", read_known, (_segment_body(),)),
        Parser("snapshot", read_snapshot, snapshot_bodies()),
        Parser("directory", read_directory, DIRECTORIES),
        Parser("bare directory", lambda data: Directory.parse(data, NAME), DIRECTORIES),
        Parser("ends of a pack", read_pack_ends, (PACK,)),
        Parser("block", lambda data: parse_block(data, NAME), blocks()),
        Parser("references", read_references, blocks()),
        Parser("items", lambda data: list(parse_items(data, NAME)), ITEMS),
        Parser("record", read_record, RECORDS, named=False),
    )
ALL_CODECS = {Codec(record[0]) for record in RECORDS}
EVERYTHING = tuple(data for parser in PARSERS for data in parser.corpus)
