"""A walk that another process goes ahead of finds what one alone finds."""

import errno
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from common.components.files.walking import scouting, seen
from common.components.files.walking.patterns import Patterns
from common.components.files.walking.seen import Listing, Seen
from common.components.files.walking.walk import Walk
from common.forked import Link
from common.repository.found import OpenFolder
from shared_walk import FOLDERS, Record, taken


@pytest.mark.parametrize(
    "patterns",
    [Patterns((), ()), Patterns((), ("*.tmp", "1*/", "!*.d")), Patterns(("*.txt", "**/2*"), ())],
)
@pytest.mark.parametrize("most", [4096, 6])
def test_it_is_found_as_by_a_walk_alone(
    tree: Path,
    heard: list[bool],
    monkeypatch: pytest.MonkeyPatch,
    patterns: Patterns,
    most: int,
) -> None:
    """Lost: files of large trees, or the reason why they are not in the backup."""
    alone = taken(tree, shared=False, patterns=patterns)
    monkeypatch.setattr(scouting, "_MOST", most)
    assert taken(tree, shared=True, patterns=patterns) == alone
    monkeypatch.setattr(Link, "is_awaited", lambda _: False)
    heard.clear()
    assert taken(tree, shared=True, patterns=patterns) == alone
    assert any(heard)


@pytest.mark.usefixtures("never_left")
def test_what_a_scout_cannot_do_the_walk_does(
    tree: Path, heard: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: files of which the scout could not say what they are, without a word."""
    alone = taken(tree, shared=False)
    lstat, parent = os.lstat, os.getpid()

    def fail_ahead(name: Any, **where: Any) -> os.stat_result:
        if os.getpid() != parent and name.endswith(b".txt"):
            raise PermissionError
        return lstat(name, **where)

    monkeypatch.setattr(os, "lstat", fail_ahead)
    assert taken(tree, shared=True) == alone
    assert any(heard)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.usefixtures("never_left")
def test_a_folder_that_was_replaced_or_told_of_long_ago_is_listed_anew(
    tree: Path, monkeypatch: pytest.MonkeyPatch, *, late: bool
) -> None:
    """Lost: what is in a folder, for what was in another one of its name, or an hour before."""
    identity, parent = scouting._identity, os.getpid()

    def other(descriptor: int) -> tuple[int, int]:
        device, inode = identity(descriptor)
        return device, inode + (os.getpid() != parent)

    listed: list[int] = []
    alone = taken(tree, shared=False)
    if late:
        monkeypatch.setattr(scouting, "_FRESH", -1)
    else:
        monkeypatch.setattr(scouting, "_identity", other)

    def list_anew(descriptor: int) -> Listing:
        listed.append(descriptor)
        return seen.list_folder(descriptor)

    monkeypatch.setattr(scouting, "list_folder", list_anew)
    assert taken(tree, shared=True) == alone
    assert len(listed) > FOLDERS // 2


def test_what_was_told_of_a_file_is_completed_when_somebody_asks(tmp_path: Path) -> None:
    """Lost: the time of a file from another century, or its attributes."""
    (tmp_path / "file").write_text("x")
    whole = Record()
    Walk(whole, Patterns((), ()), None).run(os.fsencode(tmp_path).strip(b"/"))
    descriptor = os.open(tmp_path, os.O_RDONLY)
    folder = OpenFolder(descriptor)
    told = Seen(b"file", folder, b"file", whole.taken[-1][2])
    assert told.describe() == Seen.now(b"file", folder, b"file").describe()
    assert told.mtime_ns == (tmp_path / "file").stat().st_mtime_ns
    told = Seen(b"file", folder, b"file", told.state)
    (tmp_path / "file").unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "file"))
    with pytest.raises(OSError, match=os.strerror(errno.ESTALE)):
        told.describe()
