"""A backup run: its key first, packs and index segments on the way, the snapshot last."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Self
from uuid import UUID

from common.errors import Conflict, Corrupt, Error, Invalid
from common.processors import processors
from common.repository.format.codec import Compression, Compressor
from common.repository.format.names import key_name
from common.repository.format.snapshot import Snapshot, Statistics, StoredComponent
from common.repository.index.catalog import load_segments
from common.repository.ingesting.assembling import Assembler
from common.repository.ingesting.assignment import Assignment
from common.repository.ingesting.crew import Crew, Results
from common.repository.ingesting.filecache import FileCache
from common.repository.ingesting.inline import InlineReaders
from common.repository.ingesting.reading import FileReader
from common.repository.ingesting.stores import Stores
from common.repository.prepared import Prepared, SnapshotMeta
from common.repository.progress import OnProgress, Progress
from common.repository.recording import Recorder
from common.repository.session import Session
from common.repository.writing.alive import Heartbeat, require_alive
from common.repository.writing.listing import TreeWriter


class _Results:
    """What the components of a run came to."""

    def __init__(self) -> None:
        self.components: list[StoredComponent] = []
        self.warnings: dict[str, tuple[str, ...]] = {}
        self.failed = False


class ComponentRecorder(Recorder):
    """The sink of one component; ``details`` is kept in the snapshot."""

    details: dict[str, Any]


class RunSettings(NamedTuple):
    """How a run works: ``processes`` read files beside its own when there are many; ``cache`` is
    the folder of what is known of unchanged files, which with ``reread`` are read all the same.
    """

    compression: Compression = "zstd"
    level: int = 3
    cache: Path | None = None
    reread: bool = False
    processes: int = 0


class Run:
    """Writes one backup. As a context manager it leaves nothing listed unless it was finished."""

    def __init__(
        self,
        session: Session,
        run_id: UUID,
        settings: RunSettings,
        on_progress: OnProgress | None = None,
    ) -> None:
        self._session = session
        self._run_id = run_id
        self._settings = settings
        self._created = datetime.now(UTC)
        self._progress = Progress(on_progress, Heartbeat(session.directory, run_id.hex).beat)
        self._results = _Results()
        self._finished = False
        self._pending: list[str] = []
        self._progress.begin("begin")
        if run_id in session.history.runs():
            raise Conflict(f"The run {run_id} has made its backup already.")
        session.refuse_old_config()
        # The key before the index: prune either sees this run or is seen by it.
        self._key = session.write_key(run_id, "backup")
        try:
            self._known = session.known_chunks(self._note_damage)
        except BaseException:
            session.directory.delete(key_name(self._key.key_id))
            raise
        self._stores = self._open_stores()
        advance = self._progress.advance
        self._contents = self._stores.content_writer(session.config.chunker, advance)
        inline = InlineReaders(FileReader(self._contents))
        self._crew = Crew(settings.processes, inline, self._assignment(), self._known, advance)
        self._caches: list[FileCache] = []

    def _open_stores(self) -> Stores:
        """What this process stores with."""
        session, settings = self._session, self._settings
        return Stores(
            session.directory,
            session.keys,
            self._run_id.hex,
            self._key,
            Compressor(settings.compression, settings.level),
            self._known.note,
            threads=processors(),
        )

    def _assignment(self) -> Assignment:
        """What a process is told that reads for this run."""
        return Assignment(
            place=os.fsencode(self._session.directory.path.absolute()),
            repository=self._session.keys.repository,
            writer_key=self._session.keys.writer_key,
            chunker=tuple(self._session.config.chunker),
            run=self._run_id.bytes,
            key_id=self._key.key_id,
            key=self._key.key,
            compression=self._settings.compression,
            level=self._settings.level,
            packs=self._known.packs,
        )

    @contextmanager
    def component(self, name: str, kind: str) -> Iterator[ComponentRecorder]:
        """The sink for one component. Set its ``details`` to what ``capture`` returned.

        A component that raises fails the run: it cannot be finished any more.
        """
        if any(component.name == name for component in self._results.components):
            raise Invalid(f"The component {name!r} is in this backup already.")
        self._progress.begin(name)
        tree = TreeWriter(self._stores.trees)
        assembler = Assembler(
            tree,
            self._crew,
            self._contents,
            self._known.rely_all,
            cache=self._file_cache(name),
            advance=self._progress.advance,
        )
        sink = ComponentRecorder(tree, self._contents, assembler, self._progress)
        sink.details = {}
        for message in self._pending:
            sink.warn(message)
        self._pending.clear()
        try:
            yield sink
            sink.finish()
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
            Conflict: a component has failed, a prune removed what this run relied on, or the run
                was taken for dead.
        """
        if self._results.failed or self._finished:
            raise Conflict("This run has failed or is finished: it cannot be finished now.")
        self._progress.begin("finish")
        read = self._crew.finish()
        self._stores.finish()
        self._keep_relied()
        self._stores.segments.flush()
        require_alive(self._session.directory, self._key, self._session.keys)
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
            statistics=self._statistics(components, read),
        )
        return Prepared(self._session, self._key, body, self._results.warnings)

    def _file_cache(self, component: str) -> FileCache | None:
        """The cache of a component; a backup that cannot have one reads every file."""
        settings = self._settings
        if settings.cache is None:
            return None
        try:
            cache = FileCache(settings.cache, self._session.keys, component, forget=settings.reread)
        except OSError:
            return None
        self._caches.append(cache)
        return cache

    def _note_damage(self, name: str, error: Corrupt) -> None:
        """A damaged index costs deduplication and no backup: it is told with a component."""
        del name
        self._pending.append(f"{error.message} What it lists is stored anew. Check the repository.")

    def _statistics(self, components: tuple[StoredComponent, ...], read: Results) -> Statistics:
        return Statistics(
            entries=sum(component.entries for component in components),
            size=sum(component.size for component in components),
            added=self._stores.added + read.added,
            stored=self._stores.stored + read.stored,
        )

    def _keep_relied(self) -> None:
        """Make sure that all that was deduplicated against is still there to stay."""
        source = self._session.source
        names = {info.name for info in source.list("index/")}
        if not self._known.segments <= names or not self._known.relied() <= self._session.present():
            session = self._session
            segments = load_segments(session.source, session.keys.index, lambda _name, _error: None)
            for entry in self._known.endangered(segments, self._session.present()):
                self._stores.segments.add_live(entry)
        self._session.directory.settle("packs", "index")

    def _abort(self) -> None:
        """Remove what no index segment lists; the next attempt uses what is listed."""
        self._crew.end()
        nothing_listed = self._stores.abort()
        directory = self._session.directory
        if nothing_listed and not self._crew.was_started:
            directory.delete(key_name(self._key.key_id))
        directory.discard(self._run_id.hex)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._finished:
            for cache in self._caches:
                cache.close()
            with suppress(Error):  # what led here is what matters; prune removes the rest
                self._abort()
        self._crew.end()
        self._stores.close()
