"""An opened repository as its own parts use it."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self
from uuid import UUID

from common.errors import Corrupt, Error, Invalid, NotFound
from common.repository.format.config import RepositoryConfig
from common.repository.format.frame import MAX_SIZE
from common.repository.format.names import CONFIG, Kind, key_name, kind_of
from common.repository.format.runkey import RunKey
from common.repository.format.wrappedkey import (
    Purpose,
    WrappedKey,
    parse_run_key,
    wrap_run_key,
)
from common.repository.format.writerkeys import WriterKeys
from common.repository.history import History
from common.repository.index.catalog import Catalog, OnDamaged, Segment, load_segments
from common.repository.objects import ObjectSource
from common.storage.local import LocalDirectory

if TYPE_CHECKING:
    from common.repository.index.knownpacks import KnownPacks


def read_config(source: ObjectSource) -> RepositoryConfig:
    """The repository's ``config`` as it is now. Raises ``NotFound`` or ``Corrupt``."""
    return RepositoryConfig.parse(source.read(CONFIG, 0, MAX_SIZE + 1))


def _put_back(newer: str) -> Corrupt:
    return Corrupt(
        f"config is older than {newer}: an old one was put back.",
        remedy="Fetch the newer one from another copy: strongroom repo repair packs.",
    )


class Session:
    """Where the objects are, and the keys that a writer has."""

    def __init__(self, source: ObjectSource, config: RepositoryConfig, keys: WriterKeys) -> None:
        self.source = source
        self.config = config
        self.keys = keys
        self.history = History(source, keys.chain, keys.repository)

    @classmethod
    def open(cls, source: ObjectSource, config: RepositoryConfig, writer_key: bytes) -> Self:
        """The session of a holder of the writer key.

        Raises:
            WrongKey: the key is another repository's.
            Corrupt: ``config`` was changed by someone without it.
        """
        config.authenticate(writer_key)
        return cls(source, config, WriterKeys(writer_key, config.repository))

    @property
    def directory(self) -> LocalDirectory:
        """The repository as a folder that can be written.

        Raises:
            Invalid: it is somewhere else and can only be read.
        """
        if not isinstance(self.source, LocalDirectory):
            raise Invalid("This repository can only be read from here.")
        return self.source

    def segments(self) -> list[Segment]:
        """Every index segment."""
        return list(load_segments(self.source, self.keys.index))

    def listed(self, damaged: OnDamaged | None = None) -> tuple[set[bytes], set[bytes]]:
        """The ids of all packs that the index lists, and those of their keys.

        A damaged segment is an error, unless ``damaged`` takes it.
        """
        packs: set[bytes] = set()
        keys: set[bytes] = set()
        for segment in load_segments(self.source, self.keys.index, damaged, checked=False):
            packs.update(entry.pack_id for entry in segment.entries)
            keys.update(entry.key_id for entry in segment.entries)
        return packs, keys

    def present(self) -> set[bytes]:
        """The ids of all packs that are there."""
        return {
            bytes.fromhex(info.name.rpartition("/")[2])
            for info in self.source.list("packs/")
            if kind_of(info.name) is Kind.PACK
        }

    def key_ids(self) -> set[bytes]:
        """The ids of all run keys that are there."""
        return {
            bytes.fromhex(info.name.rpartition("/")[2])
            for info in self.source.list("keys/")
            if kind_of(info.name) is Kind.KEY
        }

    def catalog(self, damaged: OnDamaged | None = None) -> Catalog:
        """The index. Packs and keys are looked up after it: they are written before it is.

        A damaged segment is an error, unless ``damaged`` takes it.
        """
        segments = list(load_segments(self.source, self.keys.index, damaged))
        return Catalog(segments, self.present(), self.key_ids())

    def known_chunks(self, damaged: OnDamaged) -> "KnownPacks":
        """The index as a writer uses it; what is in a damaged segment is stored anew."""
        from common.repository.index.knownpacks import KnownPacks  # noqa: PLC0415 - who reads needs none

        # A pack that is written between the two is only stored once more.
        present, key_ids = self.present(), self.key_ids()
        size = sum(info.size for info in self.source.list("index/"))
        segments = load_segments(self.source, self.keys.index, damaged, checked=False)
        return KnownPacks(segments, present, key_ids, size)

    def refuse_old_config(self) -> None:
        """Make sure that nothing is written for keys of before: the newer ones would not open it.

        Raises:
            Corrupt: a snapshot was written under a newer ``config`` than there is now.
        """
        newest = self.history.generation()
        if newest > self.config.generation:
            self._renew_config()
        if newest > self.config.generation:
            raise _put_back("a snapshot")

    def is_behind(self, generation: int) -> bool:
        """Whether ``config`` is older than this. Raises ``NotFound`` or ``Corrupt``."""
        if generation <= self.config.generation:
            return False
        return generation > read_config(self.source).generation  # keys may be changed at any time

    def write_key(self, run: UUID, purpose: Purpose) -> RunKey:
        """A new run key, wrapped into the repository: the mark of a run in progress.

        A change of keys writes ``config`` first and then looks for run keys; this writes the run
        key first and then looks at ``config``: one of the two always sees the other.

        Raises:
            Corrupt: ``config`` is damaged, was changed by someone without the writer key, or is
                older than it was before.
        """
        key, created = RunKey.generate(), datetime.now(UTC)
        try:
            self._write_key(key, run, purpose, created)
        except Error:
            self.directory.delete(key_name(key.key_id))
            raise
        return key

    def _write_key(self, key: RunKey, run: UUID, purpose: Purpose, created: datetime) -> None:
        while True:
            recipients = self.config.recipients
            data = wrap_run_key(
                key,
                run=run,
                recipients=recipients,
                keys=self.keys,
                generation=self.config.generation,
                purpose=purpose,
                created=created,
            )
            self.directory.write(key_name(key.key_id), data, owner=run.hex)
            self._renew_config()
            if self.config.recipients == recipients:
                self.directory.settle("")  # packs without the private key that fits are lost
                return

    def _renew_config(self) -> None:
        """Take ``config`` as it is now, unless it is older than the one at hand."""
        config = read_config(self.source)
        config.authenticate(self.keys.writer_key)
        if config.generation < self.config.generation:
            raise _put_back("it was before")
        self.config = config

    def read_key(self, name: str) -> WrappedKey:
        """A wrapped run key. Raises ``NotFound`` or ``Corrupt``."""
        return parse_run_key(self.source.read(name, 0, MAX_SIZE + 1), name, self.keys)

    def wrapped_keys(self, damaged: OnDamaged | None = None) -> list[WrappedKey]:
        """Every wrapped run key. A damaged one is an error, unless ``damaged`` takes it."""
        found = []
        for info in list(self.source.list("keys/")):
            try:
                found.append(self.read_key(info.name))
            except NotFound:
                continue  # deleted since it was listed
            except Corrupt as error:
                if damaged is None:
                    raise
                damaged(info.name, error)
        return found
