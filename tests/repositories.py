"""Repositories as storage sees them: well-formed objects whose content nobody can open."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from common.repository.format.frame import pack_frame
from common.repository.format.names import (
    CONFIG,
    Kind,
    index_name,
    key_name,
    object_id,
    pack_name,
    snapshot_name,
)
from common.storage.local import LocalDirectory


@dataclass
class SealedRepository:
    """A folder with a ``config``, to which backups are added."""

    path: Path
    id: str = field(default_factory=lambda: os.urandom(16).hex())

    def __post_init__(self) -> None:
        self.directory = LocalDirectory(self.path)
        self.directory.prepare()
        self._write(CONFIG, pack_frame(Kind.CONFIG, {"repository": self.id}, bytes(32)))

    def add_backup(self, packs: int = 3, pack_size: int = 40_000) -> str:
        """The objects of one backup in the order in which a worker writes them; its snapshot."""
        key_id = os.urandom(16)
        self._write(key_name(key_id), pack_frame(Kind.KEY, {"key": key_id.hex()}, bytes(32)))
        for _ in range(packs):
            content = Kind.PACK.magic + os.urandom(pack_size)
            self._write(pack_name(object_id(content)), content)
        segment = Kind.INDEX.magic + os.urandom(500)
        self._write(index_name(object_id(segment)), segment)
        snapshot = Kind.SNAPSHOT.magic + os.urandom(300)
        snapshot_id = object_id(snapshot).hex()
        self._write(snapshot_name(snapshot_id), snapshot)
        return snapshot_id

    def rewrap(self, name: str) -> None:
        """Write a key anew under its name, as a rotation does."""
        self._write(name, pack_frame(Kind.KEY, {"wrapped": os.urandom(8).hex()}, bytes(32)))

    def names(self, prefix: str = "") -> list[str]:
        """All objects."""
        return sorted(info.name for info in self.directory.list(prefix))

    def _write(self, name: str, content: bytes) -> None:
        self.directory.write(name, content, owner="test")
