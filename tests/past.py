"""Backups of the past, which open whatever becomes of the keys."""

from common.crypto.keys import KeyProvider
from common.repository.history import SnapshotInfo
from common.repository.reader import Reader
from common.repository.rekeying.unlocked import Unlocked
from vault import Vault, noise

FILES = ({b"a": noise(9_000, 1)}, {b"b": noise(9_000, 2)}, {b"c": noise(9_000, 3)})

Two = tuple[SnapshotInfo, SnapshotInfo]
FIRST = {b"a": noise(150_000, 1), b"same": noise(60_000, 2)}
SECOND = {b"b": noise(150_000, 3), b"same": noise(60_000, 2)}


def reader(vault: Vault, provider: KeyProvider) -> Reader:
    """Opened as ``open_reader`` does, without its PBKDF2."""
    state = Unlocked.open(vault.directory, provider)
    return Reader(state.session, state.private, former=state.former)


def restores(opened: Reader, ids: list[str]) -> bool:
    """All of ``FILES`` come out of their backups, and a check of all data finds nothing."""
    for snapshot_id, files in zip(ids, FILES, strict=True):
        source = opened.snapshot(snapshot_id).source("files")
        found = {e.path: b"".join(source.stream(e)) for e in source.entries() if e.path}
        assert found == files
    report = opened.check(read_data=True)
    assert report.ok, report.findings
    return True
