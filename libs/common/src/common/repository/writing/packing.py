"""Writing packs and the index segments that list them. One of each for a writing process."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from blake3 import blake3

from common.byteslike import BytesLike
from common.crypto.aead import TAG_SIZE
from common.errors import Conflict, Error
from common.repository.format.index import PackEntry, seal_segment
from common.repository.format.names import index_name, object_id, pack_name
from common.repository.format.pack import (
    MAX_CHUNKS,
    Directory,
    PackHeader,
    Record,
    pack_chunks,
)
from common.repository.format.runkey import RunKey
from common.repository.writing.threads import Threads
from common.storage.draft import Discarded
from common.storage.local import LocalDirectory

if TYPE_CHECKING:
    from concurrent.futures import Future

PACK_SIZE = 32 * 1024**2
SEGMENT_SIZE = 8 * 1024**2
SEGMENT_SECONDS = 60.0
_COMMITS_AT_ONCE = 2

Chunk = tuple[bytes, int]


def taken_for_dead() -> Conflict:
    """What a run fails with that others take for dead: what it has stored may be gone."""
    return Conflict(
        "This run was taken for dead, and what it stored may be gone: another one goes on in its"
        " place, or a prune saw no sign of it for seven days.",
        remedy="Begin it again. If it was never silent for so long, set the clocks right of the"
        " machines that use this repository.",
    )


class SegmentWriter:
    """Lists durable packs, in a new segment whenever enough have come together.

    ``is_alive`` says whether the run has not been abandoned by others meanwhile.
    """

    def __init__(
        self,
        directory: LocalDirectory,
        index_key: bytes,
        *,
        owner: str,
        is_alive: Callable[[], bool],
    ) -> None:
        self._directory = directory
        self._index_key = index_key
        self._owner = owner
        self._is_alive = is_alive
        self._entries: list[PackEntry] = []
        self._size = 0
        self._flushed = time.monotonic()
        self.listed: set[bytes] = set()
        self.stored = 0

    def add(self, entry: PackEntry) -> None:
        """Take a pack that is durable."""
        self._entries.append(entry)
        self._size += entry.listed_size()
        due = time.monotonic() - self._flushed > SEGMENT_SECONDS
        if due or self._size >= SEGMENT_SIZE:
            self.flush()

    def add_live(self, entry: PackEntry) -> None:
        """Take a pack of a former run, to list it as live again."""
        self.add(entry._replace(retired=0))

    def flush(self) -> None:
        """List everything taken so far.

        Raises:
            Conflict: this run was taken for dead; its packs may be gone, or cannot be opened.
        """
        self._flushed = time.monotonic()
        if not self._entries:
            return
        if not self._is_alive():
            raise taken_for_dead()
        data = seal_segment(self._entries, self._index_key)
        name = index_name(object_id(data))
        try:
            self._directory.write(name, data, owner=self._owner)
        except Error:
            if self._may_be_there(name):
                self.listed.update(entry.pack_id for entry in self._entries)
            raise
        self.listed.update(entry.pack_id for entry in self._entries)
        self.stored += len(data)
        self._entries, self._size = [], 0

    def _may_be_there(self, name: str) -> bool:
        """After an error: a segment that got its name lists its packs, durable or not."""
        try:
            return self._directory.exists(name)
        except Error:
            return True


class _OpenPack:
    """The pack that is being written."""

    def __init__(self, directory: LocalDirectory, key: RunKey, owner: str) -> None:
        header = PackHeader.new(key.key_id)
        self.seal = header.seal(key.key)
        self.draft = directory.begin(owner)
        self.records: list[Record] = []
        self.chunks: list[bytes] = []
        self.count = 0
        self._hash = blake3()
        self.write(header.pack())

    def write(self, data: BytesLike) -> None:
        self._hash.update(data)
        self.draft.write(data)

    def digest(self) -> bytes:
        return self._hash.digest()


class PackWriter:
    """Seals records into packs of one kind. ``helper`` makes finished packs durable meanwhile."""

    def __init__(
        self,
        directory: LocalDirectory,
        key: RunKey,
        *,
        kind: int,
        owner: str,
        segments: SegmentWriter,
        helper: Threads,
    ) -> None:
        self._directory = directory
        self._key = key
        self._kind = kind
        self._owner = owner
        self._segments = segments
        self._helper = helper
        self._open: _OpenPack | None = None
        self._commits: deque[tuple[Future[None], PackEntry]] = deque()
        self.stored = 0
        self.written: set[bytes] = set()

    def add(self, codec: int, data: BytesLike, raw: int, chunks: Sequence[Chunk]) -> None:
        """Append a record with these chunks, compressed by ``codec`` from ``raw`` bytes."""
        pack = self._open
        if pack is not None and pack.count + len(chunks) > MAX_CHUNKS:
            self._close()
            pack = None
        if pack is None:
            pack = self._open = _OpenPack(self._directory, self._key, self._owner)
        pack.write(pack.seal.seal_record(len(pack.records), data))
        pack.records.append(Record(codec, len(data) + TAG_SIZE, raw, len(chunks)))
        pack.chunks.append(pack_chunks(chunks))
        pack.count += len(chunks)
        if pack.draft.size >= PACK_SIZE:
            self._close()

    def finish(self) -> None:
        """Make everything durable and hand it to the segment writer."""
        last = self._seal()
        if last is not None:  # waited for at once: it needs no thread
            _commit(*last)
        self._collect(0)
        if last is not None:
            self._segments.add(last[1])

    def abort(self) -> None:
        """Forget what is not durable yet; wait for what is about to be."""
        if self._open is not None:
            self._open.draft.abort()
            self._open = None
        for future, _ in self._commits:
            future.exception()
        self._commits.clear()

    def _close(self) -> None:
        sealed = self._seal()
        if sealed is not None:
            self._commits.append((self._helper.submit(_commit, *sealed), sealed[1]))
            self._collect(_COMMITS_AT_ONCE)

    def _seal(self) -> tuple[_OpenPack, PackEntry] | None:
        """End the pack that is open, if any: it is all there, and not durable yet."""
        pack, self._open = self._open, None
        if pack is None:
            return None
        directory = Directory.of(self._kind, pack.records, b"".join(pack.chunks))
        try:
            pack.write(pack.seal.seal_directory(directory))
        except BaseException:
            pack.draft.abort()
            raise
        entry = PackEntry(pack.digest(), self._key.key_id, pack.draft.size, 0, directory)
        self.stored += entry.size
        self.written.add(entry.pack_id)
        return pack, entry

    def _collect(self, leave: int) -> None:
        while self._commits and (len(self._commits) > leave or self._commits[0][0].done()):
            future, entry = self._commits.popleft()
            future.result()
            self._segments.add(entry)


def _commit(pack: _OpenPack, entry: PackEntry) -> None:
    with pack.draft:
        try:
            pack.draft.commit(pack_name(entry.pack_id))
        except Discarded as error:
            raise taken_for_dead() from error
