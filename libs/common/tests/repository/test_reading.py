"""Reading files that others change meanwhile."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from common.repository.found import pack_state, size_of
from common.repository.ingesting import reading
from common.repository.ingesting.reading import FileRead, FileReader, Outcome


@pytest.fixture
def stored() -> list[bytes]:
    """The contents that were stored; the id of each is its beginning."""
    return []


@pytest.fixture
def read(tmp_path: Path, stored: list[bytes]) -> Iterator[Callable[[bytes], tuple[bytes, Outcome]]]:
    """Reads the only file of a folder, which was seen in that state."""

    def one(data: bytes) -> bytes:
        stored.append(data)
        return data[:16]

    reader = FileReader(cast(Any, SimpleNamespace(whole=100_000, one=one)))
    folder = os.open(tmp_path, os.O_RDONLY)
    yield lambda seen: reader.read(folder, b"file", seen)
    os.close(folder)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"as it was seen..")
    return path


def _state(path: Path) -> bytes:
    return pack_state(path.lstat())


Read = Callable[[bytes], tuple[bytes, Outcome]]


def test_a_file_is_looked_at_once_where_it_is_as_it_was_seen(
    file: Path, read: Read, stored: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: a tenth of the time of a tree of small files."""
    looks: list[int] = []
    real = os.fstat

    def looking(file: int) -> os.stat_result:
        looks.append(file)
        return real(file)

    monkeypatch.setattr(os, "fstat", looking)
    seen = _state(file)
    assert read(seen) == (seen, b"as it was seen..")
    assert stored == [b"as it was seen.."]
    assert len(looks) == 1


@pytest.mark.parametrize("data", [b"another of 16 b.", b"longer than it was", b"short", b""])
def test_a_file_that_was_changed_before_it_is_read_is_stored_as_it_is_now(
    file: Path, read: Read, stored: list[bytes], data: bytes
) -> None:
    """Lost: it comes back with the size and times of one version and the bytes of another."""
    seen = _state(file)
    file.write_bytes(data)
    os.utime(file, ns=(1, 1))
    assert read(seen) == (_state(file), data[:16])
    assert b"".join(stored) == data


@pytest.mark.parametrize("data", [b"another of 16 b.", b"longer than it was", b"short"])
def test_a_file_that_changes_while_it_is_read_is_said_to(
    file: Path, read: Read, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: half of one version and half of another, and nobody is told."""
    real = os.pread

    def changing(*where: int) -> bytes:
        found = real(*where)
        file.write_bytes(data)
        os.utime(file, ns=(len(changes), 1))
        changes.append(found)
        return found

    changes: list[bytes] = []
    monkeypatch.setattr(os, "pread", changing)
    _, outcome = read(_state(file))
    assert isinstance(outcome, FileRead)
    assert outcome.changed


def test_a_file_that_grows_before_it_is_read_is_stored_as_of_one_size(
    file: Path, read: Read, stored: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: a log that comes back with half a line of what it got later, under its old size."""
    real = os.pread

    def growing(*where: int) -> bytes:
        with file.open("ab") as log:
            log.write(b"more")
        return real(*where)

    monkeypatch.setattr(os, "pread", growing)
    state, outcome = read(_state(file))
    assert isinstance(outcome, FileRead)
    assert (outcome.changed, outcome.size) == (True, size_of(state))
    assert b"".join(stored) == (b"as it was seen.." + b"more" * 9)[: size_of(state)]


def test_what_a_disk_gives_in_pieces_is_read_whole(
    file: Path, read: Read, stored: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the end of a file on a network disk."""
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda file, size, place: real(file, min(size, 5), place))
    assert read(_state(file)) == (_state(file), b"as it was seen..")
    assert stored == [b"as it was seen.."]


def test_a_file_that_became_a_pipe_is_left_out(file: Path, read: Read) -> None:
    """Lost: the night, waiting for somebody to write into it."""
    seen = _state(file)
    file.unlink()
    os.mkfifo(file)
    assert read(seen) == (reading.UNKNOWN_STATE, "it is not a regular file any more")


def test_attributes_and_holes_of_a_file_are_not_passed_over(
    file: Path, read: Read, stored: list[bytes]
) -> None:
    """Lost: who may read it; the room on the disk that its holes do not take."""
    os.setxattr(file, "user.mark", b"set")
    _, outcome = read(_state(file))
    assert isinstance(outcome, FileRead)
    assert outcome.xattrs == ((b"user.mark", b"set"),)
    os.removexattr(file, "user.mark")
    os.truncate(file, 90_000)
    stored.clear()
    with pytest.raises(AttributeError, match="cut"):  # it is read by its regions
        read(_state(file))
    assert not stored
