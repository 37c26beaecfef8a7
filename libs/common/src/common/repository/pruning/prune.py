"""Giving back the space of what no backup needs. The steps are those of docs/format.md."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from common.errors import NotFound
from common.repository.format.index import PackEntry
from common.repository.format.names import pack_name, snapshot_name
from common.repository.format.snapshot import Snapshot
from common.repository.format.wrappedkey import WrappedKey
from common.repository.history import tombstoned
from common.repository.index.catalog import Catalog
from common.repository.progress import OnProgress, counted
from common.repository.pruning.abandon import mark_dead, pack_key
from common.repository.pruning.marking import Marks
from common.repository.pruning.relisting import relist
from common.repository.pruning.rewriting import rewrite
from common.repository.reading.fetch import Fetcher
from common.repository.reading.keyring import KeyRing
from common.repository.session import Session

_CLOCK_MARGIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class PruneSettings:
    """How careful and how thorough to be.

    Packs are kept for ``grace`` after they were retired. A run without a snapshot counts as dead
    after ``dead_after`` without a sign of life. A pack with a larger share of ``waste`` is
    rewritten.
    """

    grace: timedelta = timedelta(days=1)
    dead_after: timedelta = timedelta(days=7)
    waste: float = 0.25


@dataclass(slots=True)
class PruneReport:
    """What was done, and what waits for the grace period."""

    removed_packs: int = 0
    removed_bytes: int = 0
    retired_packs: int = 0
    retired_bytes: int = 0
    rewritten_packs: int = 0
    removed_keys: int = 0
    removed_files: int = 0
    waiting_for_runs: int = 0


class Pruner:
    """One prune. The caller holds the repository's lock."""

    def __init__(
        self,
        session: Session,
        keys: KeyRing,
        settings: PruneSettings,
        on_progress: OnProgress | None,
    ) -> None:
        self._session = session
        self._keys = keys
        self._settings = settings
        self._on_progress = on_progress
        self._run = uuid4()
        self._report = PruneReport()

    def run(self) -> PruneReport:
        """Prune.

        Raises:
            Corrupt: something is damaged; nothing is removed that could be needed.
        """
        self._tell("mark")
        self._session.directory.settle("", "snapshots", "index", "keys")
        self._end_deletions()
        backups = self._backups()
        fetcher = self._fetcher()
        marks = self._mark(fetcher, backups)
        wasteful = self._wasteful(fetcher.catalog, marks)
        if wasteful:
            packs = counted(wasteful, "rewrite", self._on_progress)
            rewrite(self._session, fetcher, marks, packs, self._run)
            self._report.rewritten_packs = len(wasteful)
        self._tell("retire")
        self._retire(fetcher.catalog, marks, frozenset(wasteful))
        self._tell("remove")
        self._mark_dead()
        self._remove()
        self._sweep()
        return self._report

    def _end_deletions(self) -> None:
        """Remove backups whose deletion was on record when its process died."""
        found = self._session.history.load()
        for removed in tombstoned(found.values()):
            if removed.snapshot in found:
                self._session.directory.delete(snapshot_name(removed.snapshot))

    def _fetcher(self) -> Fetcher:
        session = self._session
        return Fetcher(session.source, session.catalog(), self._keys, session.keys.chunk_id)

    def _mark(self, fetcher: Fetcher, backups: list[Snapshot]) -> Marks:
        marks = Marks(fetcher)
        marks.follow(counted(backups, "mark", self._on_progress))
        return marks

    def _backups(self) -> list[Snapshot]:
        """All backups there are. The index is loaded after them: it lists what they need.

        What is committed later is safe: its packs are retired at most, and no pack is removed that
        was retired while its run was going on.
        """
        found = self._session.history.load()
        gone = {removed.snapshot for removed in tombstoned(found.values())}
        return [
            body
            for snapshot_id, body in found.items()
            if body.kind == "backup" and snapshot_id not in gone
        ]

    def _wasteful(self, catalog: Catalog, marks: Marks) -> list[int]:
        """Packs that hold something needed, and too much that is not."""
        found = []
        for number, pack in enumerate(catalog.packs):
            needed = marks.needed(number)
            if pack.retired or not any(needed):
                continue
            lengths = [length for _, length in pack.directory.all_chunks()]
            used = sum(length for length, want in zip(lengths, needed, strict=True) if want)
            if 1 - used / sum(lengths) > self._settings.waste:
                found.append(number)
        return found

    def _retire(self, catalog: Catalog, marks: Marks, rewritten: frozenset[int]) -> None:
        """Mark packs that nothing needs as not to be used anew; unmark those needed after all."""
        segments = self._session.segments()
        present = self._session.present()
        now = int(time.time())
        # A time beyond that is of a clock that was ahead: it would keep the pack until then.
        latest = now + _CLOCK_MARGIN.total_seconds()
        retired: dict[bytes, int] = {}

        def change(entry: PackEntry) -> PackEntry | None:
            if entry.pack_id not in present:
                return None
            number = catalog.numbers.get(entry.pack_id)
            if number is None:
                return entry  # written since the marking began
            if number not in rewritten and any(marks.needed(number)):
                return entry._replace(retired=0) if entry.retired else entry
            if 0 < entry.retired <= latest:
                return entry
            retired[entry.pack_id] = entry.size
            return entry._replace(retired=now)

        relist(self._session, segments, change, self._run.hex)
        self._report.retired_packs = len(retired)
        self._report.retired_bytes = sum(retired.values())

    def _mark_dead(self) -> None:
        """Let no run end that is taken for dead: what it has stored may be removed."""
        oldest = datetime.now(UTC) - self._settings.dead_after
        keys = self._session.wrapped_keys()
        # Signs of life, then snapshots: with its snapshot a run gives up the sign.
        at_work = self._session.directory.at_work(oldest)
        over = self._over()

        def is_dead(key: WrappedKey) -> bool:
            silent = key.created <= oldest and key.run.hex not in at_work
            return (key.abandoned or silent) and key.run not in over

        mark_dead(self._session, [key for key in keys if is_dead(key)])

    def _remove(self) -> None:
        """Delete packs retired long enough ago, unless a run or a backup may need them."""
        # Keys, then snapshots: a run that ends in between is known by its snapshot.
        keys = self._session.wrapped_keys()
        running = [key for key in self._alive(keys) if key.purpose == "backup"]
        backups = self._backups()
        fetcher = self._fetcher()
        candidates = {
            number
            for number, pack in enumerate(fetcher.catalog.packs)
            if pack.retired and self._is_due(pack, running)
        }
        if not candidates:
            return
        marks = self._mark(fetcher, backups)
        doomed = {
            fetcher.catalog.packs[number].pack_id: fetcher.catalog.packs[number].size
            for number in candidates
            if not any(marks.needed(number))
        }
        relist(
            self._session,
            self._session.segments(),
            lambda entry: None if entry.pack_id in doomed else entry,
            self._run.hex,
        )
        self._delete_packs(doomed)

    def _delete_packs(self, sizes: Mapping[bytes, int]) -> None:
        doomed = counted(sizes, "remove", self._on_progress)
        self._session.directory.delete_all(map(pack_name, doomed))
        self._report.removed_packs += len(sizes)
        self._report.removed_bytes += sum(sizes.values())

    def _is_due(self, pack: PackEntry, running: list[WrappedKey]) -> bool:
        retired = datetime.fromtimestamp(pack.retired, UTC)
        if retired + self._settings.grace > datetime.now(UTC):
            return False
        for key in running:
            # What a run has stored itself is its own, whatever the clocks say.
            if key.key_id == pack.key_id or key.created <= retired + _CLOCK_MARGIN:
                self._report.waiting_for_runs += 1
                return False
        return True

    def _alive(self, keys: list[WrappedKey]) -> list[WrappedKey]:
        """Of these keys, which were read before, those of runs in progress."""
        over = self._over()
        return [key for key in keys if key.run not in over and not key.abandoned]

    def _over(self) -> set[UUID]:
        """The runs that came to their end, and this prune itself."""
        return self._session.history.runs() | {self._run}

    def _sweep(self) -> None:
        """Delete what dead runs left: packs that are listed nowhere, keys without packs, files."""
        session = self._session
        # Packs, then runs, then segments: whatever a run that has ended wrote is listed by then.
        present = session.present()
        keys = session.wrapped_keys()
        running = self._alive(keys)
        alive = {key.key_id for key in running}
        listed, used = session.listed()
        directory = session.directory
        dead = {}
        for each in present - listed:
            with suppress(NotFound):  # its run has just given it up itself
                if pack_key(session, each) not in alive:
                    dead[each] = directory.stat(pack_name(each)).size
        self._delete_packs(dead)
        # Of the keys none that was written since: it belongs to a run that has just begun.
        used |= alive
        unused = [key.name for key in keys if key.key_id not in used]
        directory.delete_all(unused)
        self._report.removed_keys += len(unused)
        oldest = datetime.now(UTC) - self._settings.dead_after
        self._report.removed_files = directory.discard(
            before=oldest, sparing={key.run.hex for key in running}
        )

    def _tell(self, phase: str) -> None:
        if self._on_progress is not None:
            self._on_progress(phase, 0, None, 0, "")
