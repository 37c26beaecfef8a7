"""Checking a repository: every object there and right, every backup whole, no snapshot removed."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from common.errors import Corrupt, NotFound
from common.forked import Link, spread
from common.heap import keep_large_blocks
from common.repository.checking.chain import verify_chains
from common.repository.checking.findings import CheckReport, FindingKind, Findings
from common.repository.checking.packcheck import verify_pack
from common.repository.checking.treecheck import PackWatch, TreeChecker
from common.repository.damage import Damaged
from common.repository.entry import show_path
from common.repository.format.index import PackEntry
from common.repository.format.snapshot import Snapshot
from common.repository.format.wrappedkey import WrappedKey
from common.repository.history import Head, SnapshotInfo
from common.repository.index.catalog import Catalog, load_segments
from common.repository.progress import OnProgress
from common.repository.reading.fetch import Fetcher
from common.repository.reading.keyring import KeyRing
from common.repository.reading.unlisted import UnlistedPacks
from common.repository.session import Session

_COPIED = "no file by what other packs hold"
_SPARED = "no file, as long as the index is whole"


class Checker:
    """One check of one repository."""

    def __init__(
        self,
        session: Session,
        keys: KeyRing,
        *,
        read_data: bool,
        subset: tuple[int, int] | None = None,
        snapshots: Collection[str] | None,
        heads: Mapping[str, Head],
        on_progress: OnProgress | None,
    ) -> None:
        self._session = session
        self._keys = keys
        self._read_data = read_data
        self._subset = subset
        self._wanted = snapshots
        self._heads = heads
        self._on_progress = on_progress
        self._findings = Findings()
        self._past: set[str] = set()
        self._objects = 0
        self._read = 0

    def run(self) -> CheckReport:
        """Check; what is wrong is in the report, not an error."""
        keep_large_blocks()
        self._tell("snapshots", 0, None)
        infos = self._snapshots()
        self._run_keys()
        fetcher = self._index()
        watch = self._packs(fetcher, self._needed(fetcher, infos))
        self._trees(TreeChecker(fetcher, watch, self._trouble), infos)
        for number in watch.spared:
            self._findings.spare(fetcher.catalog.packs[number].name, _COPIED)
        found = self._findings.all()
        if self._wanted is None:
            found = tuple(each for each in found if each.affects or each.object not in self._past)
        else:
            found = tuple(each for each in found if each.affects)
        return CheckReport(found, self._objects, self._read)

    def survey(self) -> tuple[Fetcher, PackWatch]:
        """The index and the damage of every pack: what a repair goes by."""
        fetcher = self._index()
        return fetcher, self._packs(fetcher, list(range(len(fetcher.catalog.packs))))

    def _trouble(self, error: Damaged, where: str, path: bytes | None) -> None:
        self._findings.add(error.name, _kind(error), error.message)
        shown = "" if path is None else show_path(path) or "."
        self._findings.affect(error.name, where, shown)

    def _snapshots(self) -> list[SnapshotInfo]:
        """Read all of them, follow the chains, and give those that are to be checked."""
        history = self._session.history
        damaged: dict[str, Corrupt] = {}
        found = history.load(damaged.__setitem__)
        self._objects += len(found) + len(damaged)
        for name, error in damaged.items():
            self._findings.add(name, "damaged", error.message, self._named(name))
        ids = {name.rpartition("/")[2] for name in damaged}
        for finding in verify_chains(found, ids, self._heads, self._chains(found)):
            self._findings.add(finding.object, finding.kind, finding.message, finding.affects)
        self._generation((body.generation for body in found.values()), "a snapshot")
        infos = history.backups()
        if self._wanted is None:
            return infos
        for snapshot_id in set(self._wanted) - {info.id for info in infos} - ids:
            name = f"snapshots/{snapshot_id}"
            self._findings.add(name, "missing", f"{name} is missing.", self._named(name))
        return [info for info in infos if info.id in self._wanted]

    def _generation(self, generations: Iterable[int], where: str) -> None:
        if self._session.is_behind(max(generations, default=0)):
            message = f"config is older than {where}: an old one was put back."
            self._findings.add("config", "rolled back", message, ["the keys of new backups"])

    def _named(self, name: str) -> list[str]:
        """What a snapshot that cannot be read affects."""
        snapshot_id = name.rpartition("/")[2]
        wanted = self._wanted is None or snapshot_id in self._wanted
        return [f"backup {snapshot_id[:16]}"] if wanted else []

    def _chains(self, found: Mapping[str, Snapshot]) -> set[str] | None:
        """The chains to follow; None means all."""
        if self._wanted is None:
            return None
        return {body.link.chain for key, body in found.items() if key in self._wanted}

    def _run_keys(self) -> None:
        """Open all of them. A destination, which only grows, keeps those of runs that were removed
        before the key pair was changed: these are past, and no damage unless a backup needs one.
        """
        generations = set()
        for info in list(self._session.source.list("keys/")):
            self._objects += 1
            try:
                wrapped = self._session.read_key(info.name)
                generations.add(wrapped.generation)
                self._open_key(wrapped)
            except NotFound:
                continue  # deleted since it was listed
            except Corrupt as error:
                self._findings.add(info.name, "damaged", error.message)
        self._generation(generations, "a run key")

    def _open_key(self, wrapped: WrappedKey) -> None:
        try:
            self._keys.get(wrapped.key_id)
        except Corrupt:
            if self._keys.is_past(wrapped):
                self._past.add(wrapped.name)
            raise

    def _index(self) -> Fetcher:
        session = self._session

        def damaged(name: str, error: Corrupt) -> None:
            self._objects += 1
            self._findings.add(name, "damaged", error.message)

        segments = list(load_segments(session.source, session.keys.index, damaged))
        self._objects += len(segments)
        present = session.present()
        catalog = Catalog(segments, present, session.key_ids())
        unlisted = UnlistedPacks(
            session, self._keys, present - catalog.numbers.keys() - catalog.void.keys()
        )
        catalog.elsewhere = unlisted.holder
        return Fetcher(session.source, catalog, self._keys, session.keys.chunk_id)

    def _needed(self, fetcher: Fetcher, infos: Iterable[SnapshotInfo]) -> list[int]:
        """The packs to look at: all, or those that the wanted backups use."""
        if self._wanted is None:
            return list(range(len(fetcher.catalog.packs)))
        watch = PackWatch()
        self._trees(TreeChecker(fetcher, watch, lambda _error, _where, _path: None), infos)
        return sorted(watch.used)

    def _trees(self, trees: TreeChecker, infos: Iterable[SnapshotInfo]) -> None:
        for info in infos:
            self._tell("trees", 0, None, info.backup_name)
            trees.add(info)
        trees.check(lambda done: self._tell("trees", done, trees.size))

    def _packs(self, fetcher: Fetcher, numbers: list[int]) -> PackWatch:
        def share(numbers: Iterator[int], link: Link) -> None:
            for number in numbers:
                read_data = self._reads(packs[number])
                verdict = verify_pack(self._session.source, fetcher, number, read_data=read_data)
                link.tell((number, verdict))

        watch, packs = PackWatch(), fetcher.catalog.packs
        total = sum(packs[number].size for number in numbers if self._reads(packs[number]))
        for number, verdict in spread(numbers, share):
            self._objects += 1
            self._read += verdict.read
            done = min(self._read, total) if total else self._read
            self._tell("packs", done, total or None, verdict.name)
            if verdict.error is not None:
                error = verdict.error
                spared = [_SPARED] if verdict.records == set() else []
                self._findings.add(error.name, _kind(error), error.message, spared)
                watch.damaged[number] = (error, verdict.records)
        return watch

    def _reads(self, pack: PackEntry) -> bool:
        """Whether every byte of a pack is read, and not just its ends."""
        if self._subset is None:
            return self._read_data
        part, parts = self._subset
        return int.from_bytes(pack.pack_id, "big") % parts == part % parts

    def _tell(self, phase: str, done: int, total: int | None, current: str = "") -> None:
        if self._on_progress is not None:
            self._on_progress(phase, done, total, self._objects, current)


def _kind(error: Damaged) -> FindingKind:
    return "missing" if error.missing else "damaged"
