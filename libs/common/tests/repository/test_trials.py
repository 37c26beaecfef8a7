"""Two ways of compressing: whatever suits better is found, at a bounded price."""

from typing import Any, cast

import zstandard

from common.byteslike import BytesLike
from common.repository.format.codec import Codec, Compressor
from common.repository.format.expansion import expand
from common.repository.format.trials import Trials
from common.repository.writing.storing import ChunkStore
from common.repository.writing.threads import Threads
from vault import noise

SIZE = 400_000
RARELY = 32


def _names(number: int) -> bytes:
    """Lines with names of random letters: short repetitions cost more than they save."""
    letters = noise(SIZE // 2, number).hex().encode()
    return b"".join(b"%s,item,%d\n" % (letters[at : at + 16], at) for at in range(0, SIZE, 32))


def _text(number: int) -> bytes:
    """Words: each repetition saves."""
    letters, places = noise(16 * 4000), noise(2 * SIZE, number)
    starts = (int.from_bytes(places[at : at + 2]) % 3989 * 16 for at in range(0, SIZE // 8, 2))
    return b"".join(letters[start : start + 16] for start in starts)


def _plain(records: list[bytes]) -> int:
    return sum(len(zstandard.compress(raw, 3)) for raw in records)


def test_a_stream_finds_its_way_and_another_when_it_changes() -> None:
    """Lost: disk for all that follows a change of content, or a third of the time of a dump."""
    compress, trials = Compressor(), Trials()
    names, text = [[make(n) for n in range(RARELY)] for make in (_names, _text)]
    sizes = []
    for raw in names + text + text:
        codec, data = compress(raw, trials)
        assert bytes(expand(codec, data, len(raw))) == raw
        sizes.append(len(data))
    assert sum(sizes[:RARELY]) < 0.98 * _plain(names)
    assert sum(sizes[2 * RARELY :]) < 1.02 * _plain(text)


def test_of_both_the_smaller_is_kept() -> None:
    """Lost: disk, at each trial."""
    for raw in _names(0), _text(0):
        assert len(Compressor()(raw, Trials())[1]) <= len(Compressor()(raw)[1])


def test_a_trial_is_rare_where_content_stays_alike() -> None:
    """Lost: most of the time that is won, on compressing everything twice."""
    trials, due = Trials(), 0
    for _ in range(100 * RARELY):
        if trials.is_due():
            due += 1
            trials.tell(1000, 900)
    assert 100 <= due < 110
    while not trials.is_due():
        pass
    trials.tell(900, 1000)  # now it is another
    assert [trials.is_due() for _ in range(5)] == [False] * 4 + [True]


def test_a_record_that_is_slightly_larger_is_worth_the_time_and_no_other() -> None:
    """Lost: half a percent of the disk is the most that speed may cost."""
    trials = Trials()
    for dense, quick, wins in ((2000, 2010, True), (2000, 2011, False), (0, 0, True)):
        trials.tell(dense, quick)
        assert trials.quick is wins


class _Packs:
    def __init__(self) -> None:
        self.bundles = self.large = 0

    def add(self, _: Codec, data: BytesLike, __: int, chunks: list[object]) -> None:
        if len(chunks) > 1:
            self.bundles += len(data)
        else:
            self.large += len(data)

    def finish(self) -> None:
        """Nothing is behind it."""


def _stored(chunks: list[bytes]) -> _Packs:
    packs, pool = _Packs(), Threads(1, "compress")
    store = ChunkStore(
        cast(Any, packs), chunk_id_key=bytes(32), known=lambda _: False, compressor=Compressor(),
        pool=pool,
    )  # fmt: skip
    for chunk in chunks:
        store.put(chunk)
    store.finish()
    pool.close()
    return packs


def test_large_files_and_small_ones_do_not_decide_for_each_other() -> None:
    """Lost: disk, where a dump and sources are backed up in turn by one process."""
    large, small = [], []
    for n in range(RARELY):
        large.append(_names(n))
        text = _text(n)
        small.append([text[at : at + SIZE // 8] for at in range(0, SIZE, SIZE // 8)])
    together = _stored(
        [chunk for one, few in zip(large, small, strict=True) for chunk in (one, *few)]
    )
    alone = _stored([chunk for few in small for chunk in few])
    assert together.large < 0.98 * _plain(large)
    assert together.bundles == alone.bundles
