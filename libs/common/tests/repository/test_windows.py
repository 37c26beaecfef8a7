"""Windows: memory is used again, and never while somebody still reads what is in it."""

import pytest

from common.repository.writing import windows as windows_module
from common.repository.writing.windows import Windows


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Windows:
    monkeypatch.setattr(windows_module, "WINDOW", 100)
    return Windows()


def test_what_is_viewed_stays_as_it_is(windows: Windows) -> None:
    """Else a chunk that waits to be compressed is overwritten by the next one: data is lost."""
    first = windows.take(100)
    first[:] = b"a" * 100
    part = first[40:50]
    del first
    second = windows.take(100)
    second[:] = b"b" * 100
    assert bytes(part) == b"a" * 10


def test_memory_that_nobody_views_is_used_again(windows: Windows) -> None:
    """Else every window is cleared before it is filled."""
    windows.take(100)[:] = b"a" * 100
    assert bytes(windows.take(60)) == b"a" * 60


def test_more_is_given_than_is_kept(windows: Windows) -> None:
    """Else a slow disk stops a backup, or its memory grows for good."""
    taken = [windows.take(100) for _ in range(20)]
    for number, window in enumerate(taken):
        window[:] = bytes([number + 1]) * 100
    assert [window[99] for window in taken] == list(range(1, 21))
    taken.clear()
    del window
    again = [windows.take(100) for _ in range(20)]
    assert sum(any(window) for window in again) == windows_module._KEPT


def test_small_memory_does_not_take_the_place_of_a_window(windows: Windows) -> None:
    """Else a large file after small ones has no memory to use again, or too short a piece."""
    windows.take(10)
    assert len(windows.take(100)) == 100
