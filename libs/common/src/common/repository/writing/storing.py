"""From content to chunks in packs: deduplicate, bundle, compress."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from blake3 import blake3

from common.byteslike import BytesLike
from common.heap import keep_large_blocks
from common.repository.format.codec import Codec, Compressor
from common.repository.format.pack import CHUNK_ID_SIZE
from common.repository.format.trials import Trials
from common.repository.writing.packing import Chunk, PackWriter
from common.repository.writing.threads import Threads

if TYPE_CHECKING:
    from concurrent.futures import Future

BUNDLE_SIZE = 1024**2
BUNDLE_CHUNKS = 32_768
SMALL_CHUNK = 256 * 1024
_IN_FLIGHT = 4
"""More may be compressed than twice what threads do at once: a large chunk keeps none of them
idle."""

Known = Callable[[bytes], bool]
"""Notes a chunk id; true when the chunk is stored already or about to be."""


class ChunkStore:
    """Stores chunks of one kind, each once. For use by one thread; compression has its own."""

    def __init__(
        self,
        packs: PackWriter,
        *,
        chunk_id_key: bytes,
        known: Known,
        compressor: Compressor,
        pool: Threads,
    ) -> None:
        self._packs = packs
        self._hasher = blake3(key=chunk_id_key)  # making one takes as long as a small chunk
        self._known = known
        self._compressor = compressor
        self._pool = pool
        self._large = Trials()
        self._bundles = Trials()
        self._bundle: list[bytes] = []
        self._bundled: list[Chunk] = []
        self._bundle_size = 0
        self._waiting: deque[tuple[Future[tuple[Codec, BytesLike]], int, list[Chunk]]] = deque()
        self.added = 0

    def put(self, data: BytesLike) -> bytes:
        """Store a chunk unless it is stored; its id. ``data`` must not change afterwards."""
        hasher = self._hasher
        hasher.reset()
        hasher.update(data)
        chunk_id = hasher.digest(length=CHUNK_ID_SIZE)
        if self._known(chunk_id):
            return chunk_id
        size = len(data)
        self.added += size
        if size > SMALL_CHUNK:
            self._submit(data, [(chunk_id, size)], self._large)
            return chunk_id
        if self._bundle_size + size > BUNDLE_SIZE or len(self._bundle) >= BUNDLE_CHUNKS:
            self._close_bundle()
        self._bundle.append(bytes(data))
        self._bundled.append((chunk_id, size))
        self._bundle_size += size
        return chunk_id

    def finish(self) -> None:
        """Hand everything to the packs and make it durable."""
        raw, chunks = self._take_bundle()
        # No thread for what is waited for at once: many a backup has no more than this.
        last = self._compressor(raw, self._bundles) if chunks else None
        self._collect(0)
        if last is not None:
            self._packs.add(*last, len(raw), chunks)
        self._packs.finish()

    def abort(self) -> None:
        """Forget what is not durable yet."""
        for future, _, _ in self._waiting:
            future.cancel()
        self._waiting.clear()
        self._packs.abort()

    def _close_bundle(self) -> None:
        raw, chunks = self._take_bundle()
        if chunks:
            self._submit(raw, chunks, self._bundles)

    def _take_bundle(self) -> tuple[bytes, list[Chunk]]:
        raw, chunks = b"".join(self._bundle), self._bundled
        self._bundle, self._bundled, self._bundle_size = [], [], 0
        return raw, chunks

    def _submit(self, raw: BytesLike, chunks: list[Chunk], trials: Trials) -> None:
        keep_large_blocks()  # windows of files, bundles and what they become, one after another
        compressed = self._pool.submit(self._compressor, raw, trials)
        self._waiting.append((compressed, len(raw), chunks))
        self._collect(2 * self._pool.most + _IN_FLIGHT)

    def _collect(self, leave: int) -> None:
        while self._waiting and (len(self._waiting) > leave or self._waiting[0][0].done()):
            future, raw, chunks = self._waiting.popleft()
            codec, data = future.result()
            self._packs.add(codec, data, raw, chunks)
