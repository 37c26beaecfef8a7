"""Packs that are there and that no index segment lists: what is in them?"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import cached_property

from common.errors import Corrupt, NotFound
from common.repository.format.index import PackEntry
from common.repository.format.names import Kind, kind_of
from common.repository.format.pack import (
    HEADER_SIZE,
    TRAILER_SIZE,
    PackHeader,
    directory_place,
)
from common.repository.reading.keyring import KeyRing
from common.repository.session import Session
from common.storage.store import ObjectInfo


class UnlistedPacks:
    """Their directories, read when someone misses a chunk."""

    def __init__(self, session: Session, keys: KeyRing, pack_ids: Collection[bytes]) -> None:
        self._session = session
        self._keys = keys
        self._pack_ids = pack_ids

    def holder(self, chunk_id: bytes) -> bytes | None:
        """The pack that holds a chunk, though no segment says so."""
        return self._chunks.get(chunk_id)

    @cached_property
    def _chunks(self) -> dict[bytes, bytes]:
        return {
            chunk_id: entry.pack_id
            for entry in self.entries()
            for chunk_id, _ in entry.directory.all_chunks()
        }

    def entries(self) -> Iterator[PackEntry]:
        """These packs as an index would list them; those that cannot be opened are left out."""
        for info in self._session.source.list("packs/"):
            if kind_of(info.name) is not Kind.PACK:
                continue
            pack_id = bytes.fromhex(info.name.rpartition("/")[2])
            if pack_id not in self._pack_ids:
                continue
            with suppress(Corrupt, NotFound):
                yield read_entry(self._session, self._keys, info)


def read_entry(session: Session, keys: KeyRing, pack: ObjectInfo) -> PackEntry:
    """A pack as the index lists it, from the pack itself. Its records are not looked at.

    Raises:
        NotFound: it is gone.
        Corrupt: its ends are damaged, or its run key is damaged or missing.
    """
    source, name = session.source, pack.name
    header = PackHeader.parse(source.read(name, 0, HEADER_SIZE), name)
    trailer = source.read(name, max(0, pack.size - TRAILER_SIZE))
    start, length = directory_place(trailer, pack.size, name)
    seal = header.seal(keys.get(header.key_id).key)
    directory = seal.open_directory(source.read(name, start, length), name)
    if directory.size() != pack.size:
        raise Corrupt(f"{name} has another size than its directory says.")
    pack_id = bytes.fromhex(name.rpartition("/")[2])
    return PackEntry(pack_id, header.key_id, pack.size, 0, directory)
