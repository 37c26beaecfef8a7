"""The repository as a reader sees it: everything a writer can, and content."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from common.crypto.hpke import PrivateKey
from common.errors import Invalid, NotFound
from common.repository.format.index import PackEntry
from common.repository.format.snapshot import StoredComponent
from common.repository.history import Head, SnapshotInfo
from common.repository.lock import exclusive
from common.repository.progress import OnProgress
from common.repository.reading.keyring import KeyRing, Renew
from common.repository.repository import Repository
from common.repository.session import Session

if TYPE_CHECKING:
    from common.repository.checking.findings import CheckReport
    from common.repository.pruning.prune import PruneReport, PruneSettings
    from common.repository.reading.fetch import Fetcher
    from common.repository.reading.source import ComponentSource


class BackupReader:
    """One backup, opened."""

    def __init__(self, info: SnapshotInfo, fetcher: "Fetcher") -> None:
        self.info = info
        self._fetcher = fetcher

    def source(self, component: str) -> "ComponentSource":
        """What a component is restored from.

        Raises:
            NotFound: the backup has no such component.
        """
        from common.repository.reading.source import ComponentSource  # noqa: PLC0415 - as check

        return ComponentSource(self._fetcher, self._component(component))

    def _component(self, name: str) -> StoredComponent:
        for component in self.info.components:
            if component.name == name:
                return component
        known = ", ".join(component.name for component in self.info.components)
        raise NotFound(f"The backup has no component {name!r}.", remedy=f"It has: {known}.")


class Reader(Repository):
    """An opened repository with the rights of a private key. Made by ``open_reader``."""

    def __init__(
        self,
        session: Session,
        private: PrivateKey,
        *,
        former: Iterable[PrivateKey] = (),
        renew: Renew | None = None,
    ) -> None:
        super().__init__(session)
        self._privates = (private, *former)
        self._renew = renew

    def snapshot(self, snapshot_id: str) -> BackupReader:
        """One backup, to be read.

        Raises:
            NotFound: there is none with this id.
            Corrupt: it, or the index, is damaged.
        """
        return BackupReader(self._session.history.get(snapshot_id), self.fetcher)

    def check(
        self,
        *,
        read_data: bool,
        subset: tuple[int, int] | None = None,
        snapshots: Collection[str] | None = None,
        heads: Mapping[str, Head] | None = None,
        on_progress: OnProgress | None = None,
    ) -> "CheckReport":
        """Look for damage: all objects and chains, and with ``read_data`` every byte of every pack.

        With a ``subset`` (n, m) this is every byte of the n-th of m parts of the packs, told apart
        by their ids: m checks, one for each n, read them all. ``snapshots`` confines it to what
        these backups need. ``heads`` are the newest snapshots of chains as someone else remembers
        them, so that a removed one is seen in any case.

        Raises:
            Invalid: there is no such part.
        """
        from common.repository.checking.check import Checker  # noqa: PLC0415 - a backup needs none of it

        checker = Checker(
            self._session,
            self.keyring(),
            read_data=read_data,
            subset=_part(subset),
            snapshots=snapshots,
            heads=heads or {},
            on_progress=on_progress,
        )
        return checker.run()

    def prune(
        self,
        settings: "PruneSettings | None" = None,
        *,
        on_progress: OnProgress | None = None,
    ) -> "PruneReport":
        """Give back the space of what no backup needs. Backups may run meanwhile.

        Raises:
            Conflict: another prune or deletion is going on.
            Corrupt: something is damaged: nothing that could be needed is removed.
        """
        from common.repository.pruning.prune import Pruner, PruneSettings  # noqa: PLC0415 - as check

        with exclusive(self._session.directory.path):
            pruner = Pruner(self._session, self.keyring(), settings or PruneSettings(), on_progress)
            report = pruner.run()
        self.reload()
        return report

    def reload(self) -> None:
        """See what was written since this was opened."""
        self.__dict__.pop("fetcher", None)

    def keyring(self) -> KeyRing:
        """What opens run keys, for the other parts of the repository."""
        return KeyRing(self._session, self._privates, self._renew)

    @cached_property
    def fetcher(self) -> "Fetcher":
        """What reads chunks, for the other parts of the repository."""
        from common.repository.reading.fetch import Fetcher  # noqa: PLC0415 - as check
        from common.repository.reading.unlisted import UnlistedPacks  # noqa: PLC0415 - as check

        session, keys = self._session, self.keyring()
        # A damaged index is for check to tell: what it listed is found in the packs themselves.
        catalog = session.catalog(lambda _name, _error: None)

        def recover() -> Iterator[PackEntry]:
            unlisted = session.present() - catalog.numbers.keys()
            return UnlistedPacks(session, keys, unlisted).entries()

        return Fetcher(session.source, catalog, keys, session.keys.chunk_id, recover)


def _part(subset: tuple[int, int] | None) -> tuple[int, int] | None:
    if subset is not None and not 1 <= subset[0] <= subset[1]:
        raise Invalid(f"There is no part {subset[0]} of {subset[1]}.", remedy="The first is 1.")
    return subset
