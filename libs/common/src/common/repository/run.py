"""A backup run: its key first, packs and index segments on the way, the snapshot last."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from common.errors import Conflict, Corrupt, Error, Invalid
from common.repository.catalog import load_segments
from common.repository.chunker import Chunker
from common.repository.filecache import FileCache
from common.repository.format.codec import Compressor
from common.repository.format.names import key_name, pack_name
from common.repository.format.pack import CONTENT, TREE
from common.repository.format.snapshot import Snapshot, Statistics, StoredComponent
from common.repository.ingest import Ingest
from common.repository.listing import TreeWriter
from common.repository.packing import PackWriter, SegmentWriter
from common.repository.prepared import Prepared, SnapshotMeta
from common.repository.recording import OnProgress, Progress, Recorder
from common.repository.session import Session
from common.repository.storing import ChunkStore

_THREADS = max(2, min(os.cpu_count() or 2, 4))


@dataclass(slots=True)
class _Results:
    """What the components of a run came to."""

    components: list[StoredComponent] = field(default_factory=list)
    warnings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    failed: bool = False


class ComponentRecorder(Recorder):
    """The sink of one component; ``details`` is kept in the snapshot."""

    details: dict[str, Any]


class Run:
    """Writes one backup. As a context manager it leaves nothing listed unless it was finished."""

    def __init__(
        self,
        session: Session,
        run_id: UUID,
        compressor: Compressor,
        on_progress: OnProgress | None = None,
        cache: Path | None = None,
    ) -> None:
        self._session = session
        self._run_id = run_id
        self._created = datetime.now(UTC)
        self._progress = Progress(on_progress)
        self._results = _Results()
        self._finished = False
        self._pending: list[str] = []
        self._progress.begin("begin")
        if run_id in session.history.runs():
            raise Conflict(f"The run {run_id} has made its backup already.")
        # The key before the index: prune either sees this run or is seen by it.
        self._key = session.write_key(run_id, "backup")
        try:
            self._known = session.known_chunks(self._note_damage)
        except BaseException:
            session.directory.delete(key_name(self._key.key_id))
            raise
        self._pool = ThreadPoolExecutor(_THREADS, "compress")
        self._helper = ThreadPoolExecutor(1, "make-durable")
        self._segments = self._segment_writer()
        self._contents, self._content_packs = self._store(CONTENT, compressor)
        self._trees, self._tree_packs = self._store(TREE, compressor)
        chunker = Chunker(session.config.chunker, session.keys.chunker_seed)
        self._ingest = Ingest(
            chunker, self._contents, self._trees, self._progress.advance, self._known.rely
        )
        self._cache = cache
        self._caches: list[FileCache] = []

    def _segment_writer(self) -> SegmentWriter:
        return SegmentWriter(
            self._session.directory,
            self._session.keys.index,
            owner=self._run_id.hex,
            is_alive=lambda: self._session.is_alive(self._key),
        )

    @contextmanager
    def component(self, name: str, kind: str) -> Iterator[ComponentRecorder]:
        """The sink for one component. Set its ``details`` to what ``capture`` returned.

        A component that raises fails the run: it cannot be finished any more.
        """
        if any(component.name == name for component in self._results.components):
            raise Invalid(f"The component {name!r} is in this backup already.")
        self._progress.begin(name)
        tree = TreeWriter(self._trees)
        self._ingest.cache = self._file_cache(name)
        sink = ComponentRecorder(tree, self._ingest, self._progress)
        sink.details = {}
        for message in self._pending:
            sink.warn(message)
        self._pending.clear()
        try:
            yield sink
        except BaseException:
            self._results.failed = True
            raise
        root = tree.finish()
        self._results.warnings[name] = tuple(tree.warnings)
        self._results.components.append(
            StoredComponent(name, kind, tree.entries, tree.size, tree.warned, sink.details, root)
        )

    def finish(self, meta: SnapshotMeta) -> Prepared:
        """Make everything durable but the snapshot.

        Raises:
            Conflict: a component has failed, or a prune removed what this run relied on.
        """
        if self._results.failed or self._finished:
            raise Conflict("This run has failed or is finished: it cannot be finished now.")
        self._progress.begin("finish")
        self._contents.finish()
        self._trees.finish()
        self._keep_relied()
        self._segments.flush()
        for cache in self._caches:
            cache.commit()
        self._finished = True
        components = tuple(self._results.components)
        body = Snapshot(
            kind="backup",
            repository=self._session.keys.repository,
            generation=self._session.config.generation,
            link=meta.no_link(),
            created=meta.created or self._created,
            run=self._run_id,
            backup_id=meta.backup_id,
            backup_name=meta.backup_name,
            plan=meta.plan,
            station=meta.station,
            backup_type=meta.backup_type,
            components=components,
            statistics=self._statistics(components),
        )
        return Prepared(self._session, body, self._results.warnings)

    def _file_cache(self, component: str) -> FileCache | None:
        """The cache of a component; a backup that cannot have one reads every file."""
        if self._cache is None:
            return None
        try:
            cache = FileCache(self._cache, self._session.keys, component)
        except OSError:
            return None
        self._caches.append(cache)
        return cache

    def _note_damage(self, name: str, error: Corrupt) -> None:
        """A damaged index costs deduplication and no backup: it is told with a component."""
        del name
        self._pending.append(f"{error.message} What it lists is stored anew. Check the repository.")

    def _statistics(self, components: tuple[StoredComponent, ...]) -> Statistics:
        packs = self._content_packs.stored + self._tree_packs.stored
        return Statistics(
            entries=sum(component.entries for component in components),
            size=sum(component.size for component in components),
            added=self._contents.added + self._trees.added,
            stored=packs + self._segments.stored,
        )

    def _keep_relied(self) -> None:
        """Make sure that all that was deduplicated against is still there to stay."""
        source = self._session.source
        names = {info.name for info in source.list("index/")}
        if not self._known.segments <= names or not self._known.relied() <= self._session.present():
            session = self._session
            segments = load_segments(session.source, session.keys.index, lambda _name, _error: None)
            for entry in self._known.endangered(segments, self._session.present()):
                self._segments.add_live(entry)
        self._session.directory.settle("packs", "index")

    def _store(self, kind: int, compressor: Compressor) -> tuple[ChunkStore, PackWriter]:
        packs = PackWriter(
            self._session.directory,
            self._key,
            kind=kind,
            owner=self._run_id.hex,
            segments=self._segments,
            helper=self._helper,
        )
        store = ChunkStore(
            packs,
            chunk_id_key=self._session.keys.chunk_id,
            known=self._known.note,
            compressor=compressor,
            pool=self._pool,
        )
        return store, packs

    def _abort(self) -> None:
        """Remove what no index segment lists; the next attempt uses what is listed."""
        self._contents.abort()
        self._trees.abort()
        directory = self._session.directory
        written = self._content_packs.written | self._tree_packs.written
        for pack_id in written - self._segments.listed:
            directory.delete(pack_name(pack_id))
        if not self._segments.listed:
            directory.delete(key_name(self._key.key_id))
        directory.discard(self._run_id.hex)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._finished:
            for cache in self._caches:
                cache.close()
            with suppress(Error):  # what led here is what matters; prune removes the rest
                self._abort()
        self._pool.shutdown(cancel_futures=True)
        self._helper.shutdown()
