"""What the index says of packs, while it is changed."""

from datetime import timedelta

import pytest

from common.repository.format.index import PackEntry
from common.repository.pruning.prune import PruneSettings
from common.repository.pruning.relisting import relist, write_segments
from common.repository.writing.packing import SegmentWriter
from common.storage.local import LocalDirectory
from vault import Vault, noise

LONG_AGO, NOW = 1000, 2000


@pytest.mark.parametrize("order", [1, -1])
def test_a_pack_retired_twice_is_retired_since_the_later(vault: Vault, order: int) -> None:
    """Lost: a pack that was live until now, and that a backup at work relies on."""
    vault.backup({b"a": b"1"})
    session = vault.session()
    (live,) = session.segments()
    former = [entry._replace(retired=LONG_AGO) for entry in live.entries]
    write_segments(session, former, "test")

    def retire(entry: PackEntry) -> PackEntry:
        return entry._replace(retired=entry.retired + 1 if entry.retired else NOW)

    segments = sorted(session.segments(), key=lambda each: each.entries[0].retired * order)
    relist(session, segments, retire, "test")
    found = [entry.retired for segment in session.segments() for entry in segment.entries]
    assert set(found) == {NOW}


def test_packs_taken_back_go_into_as_many_segments_as_it_takes(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the index of a backup that took back more than a reader accepts in one piece."""
    vault.backup({b"a": b"1"})
    session = vault.session()
    (segment,) = session.segments()
    monkeypatch.setattr("common.repository.writing.packing.SEGMENT_SIZE", 500)
    writer = SegmentWriter(
        session.directory, session.keys.index, owner="test", is_alive=lambda: True
    )
    for number in range(50):
        writer.add_live(segment.entries[0]._replace(pack_id=bytes([number]) * 32))
    writer.flush()
    assert max(info.size for info in session.directory.list("index/")) < 1500


@pytest.mark.usefixtures("small_packs")
def test_a_rewritten_pack_is_durable_before_the_former_one_goes(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the only copy of a chunk, with a folder that a process made which died then."""
    same = {b"same": noise(100_000, 2)}
    gone = vault.backup({b"a": noise(300_000, 1), **same})
    vault.backup({b"b": noise(300_000, 3), **same})
    vault.reader().forget(gone.id, "")
    for number in range(256):
        (vault.path / "packs" / f"{number:02x}").mkdir(exist_ok=True)
    settled: list[str] = []
    settle = LocalDirectory.settle

    def note(directory: LocalDirectory, *folders: str) -> None:
        settled.extend(folders)
        settle(directory, *folders)

    monkeypatch.setattr(LocalDirectory, "settle", note)
    assert vault.reader().prune(PruneSettings(grace=timedelta(0))).rewritten_packs
    assert "packs" in settled
