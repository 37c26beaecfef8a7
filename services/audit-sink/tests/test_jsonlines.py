"""The audit log's file: nothing missing, nothing doubled, for nobody else's eyes."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit_sink.jsonlines import JsonLines
from common.errors import Conflict


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "security_audit.log"


@pytest.fixture
def file(path: Path) -> Iterator[JsonLines]:
    file = JsonLines(path)
    file.open()
    yield file
    file.close()


def lines(first: int, last: int, size: int = 0) -> list[tuple[int, bytes]]:
    return [(n, b'{"seq":%d,"x":"%s"}\n' % (n, b"y" * size)) for n in range(first, last + 1)]


def reopened(path: Path) -> JsonLines:
    file = JsonLines(path)
    file.open()
    return file


def test_only_the_owner_can_read_it(path: Path) -> None:
    """The log names users and addresses."""
    before = os.umask(0)
    try:
        file = reopened(path)
    finally:
        os.umask(before)
    file.close()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}


def test_a_file_that_was_open_to_others_is_closed(path: Path) -> None:
    """A rotation tool may have created it with its own mode."""
    path.parent.mkdir()
    path.write_text("")
    path.chmod(0o644)
    reopened(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    """Whoever can write the folder must not have the log written elsewhere."""
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        reopened(path)


def test_it_goes_on_where_it_ended(file: JsonLines, path: Path) -> None:
    """After a restart no entry may be written twice or left out."""
    file.append(lines(1, 3))
    file.close()
    again = reopened(path)
    assert again.position == 3
    again.append(lines(4, 4))
    again.close()
    assert path.read_bytes() == b"".join(line for _, line in lines(1, 4))


@pytest.mark.parametrize("size", [0, 100_000])
def test_half_a_line_of_a_crash_is_cut_off(file: JsonLines, path: Path, size: int) -> None:
    """A torn line would make the file unreadable from there on."""
    file.append(lines(1, 2, size))
    file.close()
    whole = path.read_bytes()
    with path.open("ab") as torn:
        torn.write(lines(3, 3, size)[0][1][:-1])
    again = reopened(path)
    assert (again.position, path.read_bytes()) == (2, whole)
    again.close()


def test_lines_written_before_a_crash_are_not_repeated(file: JsonLines, path: Path) -> None:
    """The line was on the disk, the note of it not yet."""
    file.append(lines(1, 2))
    file.close()
    with path.open("ab") as late:
        late.write(lines(3, 3)[0][1])
    again = reopened(path)
    assert again.position == 3
    again.close()


def test_a_rotated_file_is_let_go(file: JsonLines, path: Path) -> None:
    """Writing on into the moved file would lose entries when it is compressed."""
    file.append(lines(1, 2))
    path.rename(path.with_name("old"))
    file.append(lines(3, 3))
    assert path.read_bytes() == lines(3, 3)[0][1]
    assert path.with_name("old").read_bytes().count(b"\n") == 2


def test_a_restart_after_a_rotation_begins_nothing_anew(file: JsonLines, path: Path) -> None:
    """A fresh file is no reason to write the whole log again."""
    file.append(lines(1, 2))
    file.close()
    path.rename(path.with_name("old"))
    again = reopened(path)
    assert again.position == 2
    again.close()


def test_two_processes_cannot_write_one_file(file: JsonLines, path: Path) -> None:
    """Each would write every entry."""
    with pytest.raises(Conflict):
        reopened(path)
