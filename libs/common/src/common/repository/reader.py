"""The repository as a reader sees it: everything a writer can, and content."""

from functools import cached_property

from common.crypto.hpke import PrivateKey
from common.errors import NotFound
from common.repository.catalog import Catalog
from common.repository.fetch import Fetcher
from common.repository.format.snapshot import StoredComponent
from common.repository.history import SnapshotInfo
from common.repository.keyring import KeyRing
from common.repository.repository import Repository
from common.repository.session import Session
from common.repository.source import ComponentSource


class BackupReader:
    """One backup, opened."""

    def __init__(self, info: SnapshotInfo, fetcher: Fetcher) -> None:
        self.info = info
        self._fetcher = fetcher

    def source(self, component: str) -> ComponentSource:
        """What a component is restored from.

        Raises:
            NotFound: the backup has no such component.
        """
        return ComponentSource(self._fetcher, self._component(component))

    def _component(self, name: str) -> StoredComponent:
        for component in self.info.components:
            if component.name == name:
                return component
        known = ", ".join(component.name for component in self.info.components)
        raise NotFound(f"The backup has no component {name!r}.", remedy=f"It has: {known}.")


class Reader(Repository):
    """An opened repository with the rights of a private key. Made by ``open_reader``."""

    def __init__(self, session: Session, private: PrivateKey) -> None:
        super().__init__(session)
        self._private = private

    def snapshot(self, snapshot_id: str) -> BackupReader:
        """One backup, to be read.

        Raises:
            NotFound: there is none with this id.
            Corrupt: it, or the index, is damaged.
        """
        return BackupReader(self._session.history.get(snapshot_id), self._fetcher)

    def reload(self) -> None:
        """See what was written since this was opened."""
        self.__dict__.pop("_fetcher", None)

    @cached_property
    def _fetcher(self) -> Fetcher:
        session = self._session
        present = session.present()
        catalog = Catalog(session.segments(), present.__contains__)
        keys = KeyRing(session, self._private)
        return Fetcher(session.source, catalog, keys, session.keys.chunk_id)
