"""Packs that are there and that no index segment lists: what is in them?"""

from collections.abc import Collection
from functools import cached_property

from common.errors import Corrupt, NotFound
from common.repository.format.names import pack_name
from common.repository.format.pack import (
    HEADER_SIZE,
    TRAILER_SIZE,
    Directory,
    PackHeader,
    directory_place,
)
from common.repository.keyring import KeyRing
from common.repository.session import Session


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
        found: dict[bytes, bytes] = {}
        for pack_id in self._pack_ids:
            try:
                directory = self._directory(pack_name(pack_id))
            except (Corrupt, NotFound):
                continue  # nothing that is known needs it
            found.update((chunk_id, pack_id) for chunk_id, _ in directory.all_chunks())
        return found

    def _directory(self, name: str) -> Directory:
        source = self._session.source
        size = next((info.size for info in source.list(name) if info.name == name), 0)
        header = PackHeader.parse(source.read(name, 0, HEADER_SIZE), name)
        trailer = source.read(name, max(0, size - TRAILER_SIZE))
        start, length = directory_place(trailer, size, name)
        seal = header.seal(self._keys.get(header.key_id).key)
        return seal.open_directory(source.read(name, start, length), name)
