"""Making the index anew from the directories in the packs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from common.errors import Corrupt, NotFound
from common.repository.format.index import PackEntry
from common.repository.format.names import Kind, kind_of
from common.repository.index.catalog import Segment, load_segments
from common.repository.lock import exclusive
from common.repository.progress import OnProgress, counted
from common.repository.pruning.relisting import write_segments
from common.repository.reading.keyring import KeyRing
from common.repository.reading.unlisted import read_entry
from common.repository.session import Session
from common.storage.store import ObjectInfo

_OWNER = "repair-index"


@dataclass(slots=True)
class IndexRepair:
    """What was done: packs listed, those of them that no segment listed before, entries dropped
    because their pack is gone, damaged segments replaced. ``unreadable`` are packs whose own
    directory cannot be read, with the reason: they are listed as they were, if they were.
    """

    listed: int = 0
    found: int = 0
    dropped: int = 0
    damaged_segments: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)


def repair_index(
    session: Session, keys: KeyRing, *, on_progress: OnProgress | None = None
) -> IndexRepair:
    """Write new segments for all packs that are there, then delete the former ones.

    Backups may run meanwhile. A pack that was retired stays so.

    Raises:
        Conflict: a prune, a deletion or another repair is going on.
    """
    with exclusive(session.directory.path):
        return _IndexBuilder(session, keys, on_progress).run()


class _IndexBuilder:
    """One rebuilding. The caller holds the repository's lock."""

    def __init__(self, session: Session, keys: KeyRing, on_progress: OnProgress | None) -> None:
        self._session = session
        self._keys = keys
        self._on_progress = on_progress
        self._report = IndexRepair()
        self._retired: dict[bytes, int] = {}

    def run(self) -> IndexRepair:
        directory, report = self._session.directory, self._report
        directory.discard(_OWNER)
        former = self._look()
        # Packs after segments: what a backup lists meanwhile it lists by itself.
        packs = [info for info in directory.list("packs/") if kind_of(info.name) is Kind.PACK]
        # One may be that of a process which died before it was durable.
        directory.settle_all()
        failed: set[bytes] = set()
        entries = chain(self._listed(packs, failed), self._as_before(failed))
        write_segments(self._session, entries, _OWNER)
        for name in former:
            directory.delete(name)
        report.dropped = len(self._retired.keys() - {_pack_id(info) for info in packs})
        return report

    def _look(self) -> list[str]:
        """The segments that there are; what the intact ones say of each pack is remembered."""
        former: list[str] = []

        def damaged(name: str, _error: Corrupt) -> None:
            former.append(name)
            self._report.damaged_segments += 1

        for segment in self._segments(damaged):
            former.append(segment.name)
            for entry in segment.entries:
                known = self._retired.get(entry.pack_id, entry.retired)
                live = not known or not entry.retired
                self._retired[entry.pack_id] = 0 if live else max(known, entry.retired)
        return former

    def _listed(self, packs: list[ObjectInfo], failed: set[bytes]) -> Iterator[PackEntry]:
        """The packs by their own directories; put into ``failed`` where that cannot be read."""
        for info in counted(packs, "packs", self._on_progress):
            pack_id = _pack_id(info)
            try:
                entry = read_entry(self._session, self._keys, info)
            except NotFound:
                continue
            except Corrupt as error:
                self._report.unreadable[info.name] = error.message
                failed.add(pack_id)
                continue
            self._report.listed += 1
            self._report.found += pack_id not in self._retired
            yield entry._replace(retired=self._retired.get(pack_id, 0))

    def _as_before(self, failed: set[bytes]) -> Iterator[PackEntry]:
        """What the former segments say of these packs: their records may be sound still."""
        for segment in self._segments(lambda _name, _error: None) if failed else ():
            for entry in segment.entries:
                if entry.pack_id in failed:
                    failed.discard(entry.pack_id)
                    self._report.listed += 1
                    yield entry._replace(retired=self._retired[entry.pack_id])

    def _segments(self, damaged: Callable[[str, Corrupt], None]) -> Iterator[Segment]:
        session = self._session
        return load_segments(session.source, session.keys.index, damaged)


def _pack_id(info: ObjectInfo) -> bytes:
    return bytes.fromhex(info.name.rpartition("/")[2])
