"""What one writing process stores chunks with: packs and index segments of its own."""

from collections.abc import Callable
from uuid import UUID

from common.repository.chunker import Chunker
from common.repository.format.codec import Compressor
from common.repository.format.names import pack_name
from common.repository.format.pack import CONTENT, TREE
from common.repository.format.runkey import RunKey
from common.repository.ingesting.contents import ContentWriter
from common.repository.packing import PackWriter, SegmentWriter
from common.repository.session import Session
from common.repository.storing import ChunkStore, Known
from common.repository.threads import Threads


class Stores:
    """The stores of contents and trees of one process of a run, and the threads behind them."""

    def __init__(
        self,
        session: Session,
        run_id: UUID,
        key: RunKey,
        compressor: Compressor,
        known: Known,
        *,
        threads: int,
    ) -> None:
        self._session = session
        self._key = key
        self._owner = run_id.hex
        self._compressor = compressor
        self._known = known
        self._pool = Threads(threads, "compress")
        self._helper = Threads(1, "make-durable")
        self.segments = SegmentWriter(
            session.directory,
            session.keys.index,
            owner=self._owner,
            is_alive=lambda: session.is_alive(key),
        )
        self.contents, self._content_packs = self._store(CONTENT)
        self.trees, self._tree_packs = self._store(TREE)

    def content_writer(self, advance: Callable[[int], None]) -> ContentWriter:
        """What cuts contents and stores them here."""
        config, keys = self._session.config, self._session.keys
        chunker = Chunker(config.chunker, keys.chunker_seed)
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
        directory = self._session.directory
        written = self._content_packs.written | self._tree_packs.written
        for pack_id in written - self.segments.listed:
            directory.delete(pack_name(pack_id))
        return not self.segments.listed

    def close(self) -> None:
        """End the threads."""
        self._pool.close()
        self._helper.close()

    def _store(self, kind: int) -> tuple[ChunkStore, PackWriter]:
        packs = PackWriter(
            self._session.directory,
            self._key,
            kind=kind,
            owner=self._owner,
            segments=self.segments,
            helper=self._helper,
        )
        store = ChunkStore(
            packs,
            chunk_id_key=self._session.keys.chunk_id,
            known=self._known,
            compressor=self._compressor,
            pool=self._pool,
        )
        return store, packs
