"""What one writing process stores chunks with: packs and index segments of its own."""

from collections.abc import Callable

from common.repository.format.codec import Compressor
from common.repository.format.cutting import ChunkerParameters
from common.repository.format.names import pack_name
from common.repository.format.pack import CONTENT, TREE
from common.repository.format.runkey import RunKey
from common.repository.format.writerkeys import WriterKeys
from common.repository.ingesting.contents import ContentWriter
from common.repository.writing.chunker import Chunker
from common.repository.writing.packing import PackWriter, SegmentWriter
from common.repository.writing.storing import ChunkStore, Known
from common.repository.writing.threads import Threads
from common.storage.local import LocalDirectory


class Stores:
    """The stores of contents and trees of one process of a run, and the threads behind them.

    ``owner`` is the run, in the names of what is not finished.
    """

    def __init__(
        self,
        directory: LocalDirectory,
        keys: WriterKeys,
        owner: str,
        key: RunKey,
        compressor: Compressor,
        known: Known,
        *,
        threads: int,
    ) -> None:
        self._directory = directory
        self._keys = keys
        self._owner = owner
        self._key = key
        self._compressor = compressor
        self._known = known
        self._pool = Threads(threads, "compress")
        self._helper = Threads(1, "make-durable")
        self.segments = SegmentWriter(
            directory,
            keys.index,
            owner=owner,
            is_alive=self._is_alive,
        )
        self.contents, self._content_packs = self._store(CONTENT)
        self.trees, self._tree_packs = self._store(TREE)

    def content_writer(
        self, parameters: ChunkerParameters, advance: Callable[[int], None]
    ) -> ContentWriter:
        """What cuts contents and stores them here."""
        chunker = Chunker(parameters, self._keys.chunker_seed)
        return ContentWriter(chunker, self.contents, self.trees, advance)

    @property
    def added(self) -> int:
        """Bytes of content that were not stored before."""
        return self.contents.added + self.trees.added

    @property
    def stored(self) -> int:
        """Bytes written to the repository."""
        return self._content_packs.stored + self._tree_packs.stored + self.segments.stored

    def finish(self) -> None:
        """Make all packs durable. The last of them are listed by ``segments.flush``."""
        self.contents.finish()
        self.trees.finish()

    def abort(self) -> bool:
        """Remove what no index segment lists; whether nothing is listed at all."""
        self.contents.abort()
        self.trees.abort()
        written = self._content_packs.written | self._tree_packs.written
        for pack_id in written - self.segments.listed:
            self._directory.delete(pack_name(pack_id))
        return not self.segments.listed

    def close(self) -> None:
        """End the threads."""
        self._pool.close()
        self._helper.close()

    def _is_alive(self) -> bool:
        # A process that reads files is waited for when it starts, and lists packs much later.
        from common.repository.writing.alive import is_alive  # noqa: PLC0415 - see above

        return is_alive(self._directory, self._key, self._keys)

    def _store(self, kind: int) -> tuple[ChunkStore, PackWriter]:
        packs = PackWriter(
            self._directory,
            self._key,
            kind=kind,
            owner=self._owner,
            segments=self.segments,
            helper=self._helper,
        )
        store = ChunkStore(
            packs,
            chunk_id_key=self._keys.chunk_id,
            known=self._known,
            compressor=self._compressor,
            pool=self._pool,
        )
        return store, packs
