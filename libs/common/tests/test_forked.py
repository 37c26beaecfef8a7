"""Work that is shared out among processes."""

import os
import signal
from collections.abc import Iterator

import pytest

from common.errors import NoSpace, Unavailable
from common.forked import Link, Team, spread
from common.repository.damage import Damaged

ITEMS = list(range(3000))


def test_each_item_is_taken_once() -> None:
    """Else something is restored twice or never."""

    def work(items: Iterator[int], link: Link) -> None:
        for item in items:
            link.tell(item)

    assert sorted(spread(ITEMS, work)) == ITEMS
    assert list(spread([], work)) == []


@pytest.mark.parametrize(
    "error", [NoSpace("full", remedy="Free some."), Damaged("bad", name="packs/1", missing=True)]
)
def test_errors_come_as_what_they_are(error: Exception) -> None:
    """Else a full disk looks like a fault of the program."""

    def work(_link: Link) -> None:
        raise error

    with Team(work, 2) as team, pytest.raises(type(error)) as raised:
        list(team.hear())
    assert vars(raised.value) == vars(error)


def test_a_process_that_dies_is_missed() -> None:
    """Else what it had to do counts as done, or is waited for without end."""

    def work(link: Link) -> None:
        link.pause()
        os.kill(os.getpid(), signal.SIGKILL)

    with Team(work, 2) as team:
        assert list(team.hear()) == []
        team.go_on()
        with pytest.raises(Unavailable):
            list(team.hear())
