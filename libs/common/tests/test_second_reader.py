"""docs/second_reader.py, which shares no code with the engine, reads what the engine writes."""

import os
import random
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from common.components.files import FilesComponent
from common.crypto.hpke import PrivateKey
from common.crypto.keys import (
    RECOVERY_PREFIX,
    WRITER_PREFIX,
    derive_writer_key,
    generate_encryption_key,
    write_key,
)
from common.repository.format.blockreader import StoredEntry
from common.repository.format.codec import Compression, Compressor
from common.repository.format.config import RepositoryConfig
from common.repository.format.cutting import ChunkerParameters
from common.repository.history import SnapshotInfo
from common.repository.opening import create, open_reader, open_writer
from common.repository.prepared import SnapshotMeta
from nasty_tree import make_nasty_tree
from trees import compare
from vault import SMALL

READER = Path(__file__).parents[3] / "docs" / "second_reader.py"
MIB = 1 << 20


def make_source(root: Path) -> None:
    root.mkdir()
    make_nasty_tree(root / "nasty")
    words = random.Random(1).choices([b"pack ", b"chunk ", b"prune "], k=MIB)
    (root / "large.txt").write_bytes(b"".join(words))
    (root / "noise.bin").write_bytes(random.Random(2).randbytes(3 * MIB))


def forget_halfway(repository: Path, key: str) -> None:
    """A newer backup, forgotten by a process that died before it removed the object."""
    writer = open_writer(repository, write_key(WRITER_PREFIX, derive_writer_key(key)))
    with writer.begin(uuid4()) as run:
        prepared = run.finish(SnapshotMeta("newer", "newer", "main/manual"))
    info = prepared.commit_next()
    snapshot = repository / "snapshots" / info.id
    data = snapshot.read_bytes()
    writer.forget(info.id, "a test")
    snapshot.write_bytes(data)


def back_up(
    repository: Path,
    key: str,
    source: Path,
    compression: Compression,
    chunker: ChunkerParameters | None = None,
) -> SnapshotInfo:
    create(repository, RepositoryConfig.create(key, chunker=chunker))
    return back_up_into(repository, key, source, compression)


def back_up_into(
    repository: Path, key: str | None, source: Path, compression: Compression = "zstd"
) -> SnapshotInfo:
    writer = open_writer(repository, key and write_key(WRITER_PREFIX, derive_writer_key(key)))
    component = FilesComponent.of("files", [source])
    with writer.begin(uuid4(), compression=compression) as run:
        with run.component("files", "files") as sink:
            sink.details = component.capture(sink)
        prepared = run.finish(SnapshotMeta("id", "name", "main/manual"))
    return prepared.commit(1, None)


def read(repository: Path, key: str | None, target: Path, *before: str) -> None:
    target.mkdir()
    subprocess.run(
        [sys.executable, *before, READER, repository, target],
        env={} if key is None else {"BACKUP_ENCRYPTION_KEY": key},
        check=True,
        timeout=120,
    )


@pytest.mark.parametrize("compression", ["zstd", "gzip", "lz4", "none"])
def test_the_document_alone_restores_everything(tmp_path: Path, compression: Compression) -> None:
    """Lost: a repository whose only readers are this product's own; docs/format.md is not true."""
    source, repository, target = (tmp_path / name for name in ("source", "repository", "target"))
    key = generate_encryption_key()
    make_source(source)
    back_up(repository, key, source, compression)
    if compression == "none":
        forget_halfway(repository, key)
    read(repository, key, target)
    restored = target / "files" / source.relative_to("/")
    assert compare(source, restored) == []


def test_lists_that_hold_lists_are_followed(tmp_path: Path) -> None:
    """Lost: every file that is larger than a root has room for."""
    source, repository, target = (tmp_path / name for name in ("source", "repository", "target"))
    source.mkdir()
    (source / "large").write_bytes(random.Random(3).randbytes(6 * MIB))
    key = generate_encryption_key()
    info = back_up(repository, key, source, "zstd", SMALL)
    stored = open_reader(repository, key).snapshot(info.id).source("files").entries()
    assert any(isinstance(each, StoredEntry) and each.content.level for each in stored)
    read(repository, key, target)
    assert compare(source, target / "files" / source.relative_to("/")) == []


def test_a_codec_of_a_later_version_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Lost: knowing that the reader is too old, and not the repository damaged beyond reading."""
    source, repository = tmp_path / "source", tmp_path / "repository"
    source.mkdir()
    (source / "file").write_bytes(b"content")
    key = generate_encryption_key()
    monkeypatch.setattr(Compressor, "__call__", lambda _, raw, *__: (4, raw))
    back_up(repository, key, source, "none")
    with pytest.raises(subprocess.CalledProcessError):
        read(repository, key, tmp_path / "target")
    assert "codec 4" in capfd.readouterr().err.splitlines()[-1]


def test_a_path_that_is_too_long_to_be_named_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: all that comes after such a path, to whoever has nothing else to read with."""
    source, repository, target = (tmp_path / name for name in ("source", "repository", "target"))
    names = ["deep" * 50] * 25
    source.mkdir()
    monkeypatch.chdir(source)
    for name in names:
        Path(name).mkdir()
        os.chdir(name)
    Path("file").write_bytes(b"found")
    os.link("file", "twin")
    os.chdir(tmp_path)
    key = generate_encryption_key()
    back_up(repository, key, source, "zstd")
    read(repository, key, target)
    os.chdir(target / "files" / source.relative_to("/"))
    for name in names:
        os.chdir(name)
    assert Path("file").read_bytes() == b"found"
    assert Path("twin").samefile("file")


def test_a_recovery_key_is_enough(tmp_path: Path) -> None:
    """Lost: the last resort of who has nothing but the repository and the sheet from the safe."""
    source, repository, target = (tmp_path / name for name in ("source", "repository", "target"))
    source.mkdir()
    (source / "file").write_bytes(b"content")
    key, (safe, other) = generate_encryption_key(), (PrivateKey.generate(), PrivateKey.generate())
    recovery = [("other", other.public), ("safe", safe.public)]
    create(repository, RepositoryConfig.create(key, recovery=recovery))
    back_up_into(repository, key, source)
    read(repository, write_key(RECOVERY_PREFIX, safe.seed), target)
    assert compare(source, target / "files" / source.relative_to("/")) == []


def test_without_encryption_no_key_is_asked_for(tmp_path: Path) -> None:
    """Lost: what anyone can read, to who does not know what to put into the variable."""
    source, repository, target = (tmp_path / name for name in ("source", "repository", "target"))
    source.mkdir()
    (source / "file").write_bytes(b"content")
    create(repository, RepositoryConfig.create(None))
    back_up_into(repository, None, source)
    read(repository, None, target)
    assert compare(source, target / "files" / source.relative_to("/")) == []


UNPRIVILEGED = """
import os, runpy, sys
def refuse(place, *_, **__):
    raise PermissionError(1, "Operation not permitted", place)
os.mknod, os.setxattr, os.geteuid = refuse, refuse, lambda: 1
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_what_takes_rights_is_told_and_left_out(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Lost: every file after the first device, to who is not root where the last copy is."""
    source, repository, target = (tmp_path / name for name in ("source", "repository", "target"))
    source.mkdir()
    for name in ("a", "z"):
        (source / name).write_bytes(name.encode())
    os.setxattr(source / "a", "user.mark", b"1")
    os.mkfifo(source / "b")
    os.link(source / "b", source / "c")
    key = generate_encryption_key()
    back_up(repository, key, source, "zstd")
    read(repository, key, target, "-c", UNPRIVILEGED)
    left = capfd.readouterr().err.splitlines()
    there = target / "files" / source.relative_to("/")
    assert {each.name: each.read_bytes() for each in there.iterdir()} == {"a": b"a", "z": b"z"}
    told = zip(left, ("a', b'user.mark'", "b'", "c'"), strict=True)
    assert all(f"{there}/{name}" in line for line, name in told), left
