"""A repository in a temporary folder, and small ways to fill, read and hurt it."""

import io
import os
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID, uuid4

from common.components.files.walking.seen import Seen
from common.crypto.hpke import PrivateKey
from common.crypto.keys import PassphraseProvider
from common.repository.entry import Entry, EntryType
from common.repository.format.config import RepositoryConfig
from common.repository.format.cutting import ChunkerParameters
from common.repository.format.writerkeys import WriterKeys
from common.repository.found import OpenFolder
from common.repository.history import SnapshotInfo
from common.repository.opening import create
from common.repository.prepared import SnapshotMeta
from common.repository.reader import Reader
from common.repository.repository import Repository
from common.repository.run import ComponentRecorder
from common.repository.session import Session
from common.storage.local import LocalDirectory

KEY = "the key of the tests"
Keys = tuple[bytes, PrivateKey, bytes]
CHAIN = "main/manual"
SMALL = ChunkerParameters(minimum=4096, average=8192, maximum=32768, whole=4096)


class Vault:
    """A repository, its keys at hand so that no test waits for PBKDF2."""

    def __init__(self, path: Path, config: bytes, private: PrivateKey, writer_key: bytes) -> None:
        self.path = path
        self.private = private
        self.writer_key = writer_key
        self.directory = LocalDirectory(path)
        create(path, config)

    def session(self) -> Session:
        """Opened anew."""
        config = RepositoryConfig.parse(self.directory.read("config"))
        return Session(self.directory, config, WriterKeys(self.writer_key, config.repository))

    def writer(self) -> Repository:
        """Opened with the writer key."""
        return Repository(self.session())

    def reader(self) -> Reader:
        """Opened with the private key."""
        return Reader(self.session(), self.private)

    def backup(
        self, files: Mapping[bytes, bytes], name: str = "backup", chain: str = CHAIN
    ) -> SnapshotInfo:
        """Back up these files as the component ``files``."""
        return self.write(lambda sink: add_files(sink, files), name=name, chain=chain)

    def write(
        self,
        fill: Callable[[ComponentRecorder], None],
        *,
        name: str = "backup",
        chain: str = CHAIN,
        run_id: UUID | None = None,
    ) -> SnapshotInfo:
        """Back up what ``fill`` puts into the component ``files``."""
        writer = self.writer()
        with writer.begin(run_id or uuid4()) as run:
            with run.component("files", "files") as sink:
                fill(sink)
                sink.details = {"made": "by a test"}
            prepared = run.finish(SnapshotMeta(uuid4().hex, name, chain))
        return prepared.commit_next()

    def restore(self, snapshot_id: str) -> dict[bytes, bytes]:
        """The content of every file of a backup, by path."""
        source = self.reader().snapshot(snapshot_id).source("files")
        entries = list(source.entries())
        files = {e.path: bytearray(e.size) for e in entries if e.type is EntryType.FILE}
        for entry, offset, piece in source.contents(entries):
            files[entry.path][offset : offset + len(piece)] = piece
        return {path: bytes(content) for path, content in files.items()}

    def names(self, prefix: str = "") -> list[str]:
        """The objects that are there."""
        return sorted(info.name for info in self.directory.list(prefix))

    @contextmanager
    def hurt(self, name: str) -> Iterator[bytearray]:
        """Change the bytes of an object behind the engine's back."""
        file = self.path / name
        data = bytearray(file.read_bytes())
        yield data
        file.write_bytes(data)


def add_files(sink: ComponentRecorder, files: Mapping[bytes, bytes]) -> None:
    """Put files with these contents into a sink."""
    sink.add(Entry(b"", EntryType.DIRECTORY, mode=0o755))
    for path, content in files.items():
        sink.add_stream(
            Entry(path, EntryType.FILE, mtime_ns=1_700_000_000_123_456_789), io.BytesIO(content)
        )


def seen(path: bytes, place: Path) -> Seen:
    """What a walk finds at ``place``, to be stored as ``path``."""
    folder = OpenFolder(os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY))
    return Seen.now(path, folder, os.fsencode(place.name))


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(size)


def make_keys() -> Keys:
    """A config with small chunks, its private key and its writer key."""
    data = RepositoryConfig.create(KEY, chunker=SMALL)
    config = RepositoryConfig.parse(data)
    return data, *config.open_private(PassphraseProvider.found(KEY, config.sealing))
