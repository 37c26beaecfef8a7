"""Who holds which key can do what, and no more."""

from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Thread
from typing import Any

import pytest

from common.crypto.hpke import PrivateKey
from common.crypto.keys import (
    RECOVERY_PREFIX,
    WRITER_PREFIX,
    PassphraseProvider,
    derive_writer_key,
    write_key,
)
from common.errors import Conflict, NotFound, Unavailable, WrongKey
from common.repository.entry import Entry, EntryType
from common.repository.format.config import RepositoryConfig
from common.repository.opening import create, open_reader, open_writer
from common.storage.local import LocalDirectory
from common.storage.store import ObjectInfo
from vault import KEY, Vault

SECRET = b"the content that nobody but a reader may see, and a name: payroll"


def test_nothing_of_the_content_is_in_the_objects(vault: Vault) -> None:
    """Else the storage reads backups."""
    vault.backup({b"payroll": SECRET})
    stored = b"".join((vault.path / name).read_bytes() for name in vault.names())
    for part in (SECRET, SECRET[:16], b"payroll", b"files"):
        assert part not in stored


def test_an_unchanged_backup_leaves_no_known_file_recognisable(
    vault: Vault, tmp_path: Path
) -> None:
    """Else chunk ids of two repositories under one passphrase tell which files they share."""
    other = RepositoryConfig.create(KEY, writer_key=vault.writer_key)
    create(tmp_path / "second", other)
    twin = Vault(tmp_path / "second", other, vault.private, vault.writer_key)
    ids = []
    for each in (vault, twin):
        each.backup({b"a": SECRET})
        packs = each.writer()._session.catalog().packs
        ids.append({chunk_id for pack in packs for chunk_id, _ in pack.directory.all_chunks()})
    assert not ids[0] & ids[1]


def test_the_doors_open_for_the_right_key(tmp_path: Path) -> None:
    """Else nobody gets in, or anybody."""
    recovery = PrivateKey.generate()
    create(tmp_path, RepositoryConfig.create("key", recovery=[("vault", recovery.public)]))
    writer_key = write_key(WRITER_PREFIX, derive_writer_key("key"))
    assert open_writer(tmp_path, writer_key).snapshots() == []
    assert open_reader(tmp_path, "key").snapshots() == []
    found = open_reader(tmp_path, recovery_key=write_key(RECOVERY_PREFIX, recovery.seed))
    assert found.snapshots() == []
    for wrong in ("", None, write_key(WRITER_PREFIX, bytes(32)), "key"):
        with pytest.raises(WrongKey):
            open_writer(tmp_path, wrong)
    with pytest.raises(WrongKey):
        open_reader(tmp_path, recovery_key=write_key(RECOVERY_PREFIX, bytes(32)))


def test_a_recovery_key_reads_what_was_written_without_it(tmp_path: Path) -> None:
    """Else the key in the safe opens nothing on the day it is needed."""
    recovery = PrivateKey.generate()
    config = RepositoryConfig.create("key", recovery=[("safe", recovery.public)])
    parsed = RepositoryConfig.parse(config)
    keys = parsed.open_private(PassphraseProvider.found("key", parsed.sealing))
    vault = Vault(tmp_path / "r", config, *keys)
    info = vault.backup({b"a": SECRET})
    reader = open_reader(vault.path, recovery_key=write_key(RECOVERY_PREFIX, recovery.seed))
    source = reader.snapshot(info.id).source("files")
    pieces = [bytes(piece) for _, _, piece in source.contents(source.entries())]
    assert pieces == [SECRET]


def test_a_repository_without_encryption_needs_no_key(tmp_path: Path) -> None:
    """Else switching encryption off makes backups that nobody can open."""
    create(tmp_path, RepositoryConfig.create(None))
    assert open_writer(tmp_path, "").snapshots() == []
    assert open_reader(tmp_path, None).check(read_data=True).ok


def test_a_folder_holds_one_repository(vault: Vault, tmp_path: Path) -> None:
    """Else a second config makes every backup of the first unreadable."""
    again = vault.directory.read("config")
    create(vault.path, again)
    with pytest.raises(Conflict):
        create(vault.path, RepositoryConfig.create(None))
    vault.backup({})
    vault.directory.delete("config")
    with pytest.raises(Conflict):
        create(vault.path, again)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(NotFound):
        open_reader(tmp_path / "nothing", "key")
    with pytest.raises(Unavailable):
        open_reader(tmp_path / "not mounted", "key")


def test_of_two_who_make_one_at_once_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the key of the other, who was told that all is well, opens nothing."""
    outcomes: list[bool] = []
    write, meet = LocalDirectory.write, Barrier(2)

    def late(*arguments: Any, **options: Any) -> None:
        with suppress(BrokenBarrierError):
            meet.wait(0.5)
        write(*arguments, **options)

    def make() -> None:
        try:
            create(tmp_path / "new", RepositoryConfig.create(None))
            outcomes.append(True)
        except Conflict:
            outcomes.append(False)

    monkeypatch.setattr(LocalDirectory, "write", late)
    both = [Thread(target=make) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert sorted(outcomes) == [False, True]


class Elsewhere:
    """Objects that can only be read, as over a network."""

    def __init__(self, path: Path) -> None:
        self._directory = LocalDirectory(path)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        return self._directory.read(name, offset, length)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return self._directory.list(prefix)


def test_a_repository_is_read_from_anywhere(vault: Vault) -> None:
    """Else losing the machine loses the backups that another store still has."""
    info = vault.write(lambda sink: sink.add_stream(Entry(b"a", EntryType.FILE), BytesIO(SECRET)))
    reader = open_reader(Elsewhere(vault.path), KEY)
    source = reader.snapshot(info.id).source("files")
    (entry,) = source.entries()
    assert b"".join(source.stream(entry)) == SECRET
    assert reader.check(read_data=True).ok
