"""One entry of a backed-up tree: what a component hands to the writer and gets back from a reader.

Sockets have no entry: whoever listens on one makes it again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from common.errors import Invalid

PERMISSIONS = 0o7777
_SLASH = ord("/")
MAX_PATH = 65_535
"""Longest path, in bytes: longer ones are refused."""

_END_OF_FILES = 2**63
_END_OF_DEVICES = 2**31
"""No system call takes such a size, or such a major or minor number."""

_FORBIDDEN = (b"//", b"/./", b"/../")
"""What shows every forbidden part of a path that is enclosed in slashes."""

_AT_ONCE = 64


class Unstorable(Invalid):
    """What a file system has is more, or other, than an entry can hold."""


class EntryType(StrEnum):
    """What kind of thing an entry is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    FIFO = "fifo"
    CHARACTER = "character"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, folder, link or device with its metadata, without its content.

    ``path`` is relative to the root of the component, of raw bytes in any encoding, with ``/``
    between its parts; the root itself is ``b""``. For a symlink ``target`` is what it points to;
    for a hard link it is the path of the entry, earlier in the same component, that carries the
    content. ``extents`` are the (offset, length) regions of a sparse file that hold data, ascending
    and apart; None means that all of it is data.
    """

    path: bytes
    type: EntryType
    mode: int = 0o600
    uid: int = 0
    gid: int = 0
    user: str = ""
    group: str = ""
    mtime_ns: int = 0
    size: int = 0
    target: bytes = b""
    device: tuple[int, int] = (0, 0)
    xattrs: tuple[tuple[bytes, bytes], ...] = ()
    extents: tuple[tuple[int, int], ...] | None = None


def show_path(path: bytes) -> str:
    """A path for people: one line, whatever is in it."""
    return repr(path.decode("utf-8", "backslashreplace"))[1:-1]


def data_size(entry: Entry) -> int:
    """How many bytes of an entry are data and not holes."""
    if entry.type is not EntryType.FILE:
        return 0
    if entry.extents is None:
        return entry.size
    return sum(length for _, length in entry.extents)


def plain_path(given: bytes) -> bytes:
    """A path as entries have it: without a slash around it, empty parts and ``.`` parts."""
    return b"/".join(part for part in given.split(b"/") if part not in (b"", b"."))


def check_path(path: bytes) -> None:
    """Refuse a path that could lead out of the root or that two readers would read differently.

    Raises:
        Invalid: absolute, with a NUL, an empty, ``.`` or ``..`` part, or too long.
    """
    if not path:
        return
    if len(path) > MAX_PATH:
        raise Invalid(f"A path of {len(path)} bytes is longer than {MAX_PATH}.")
    if b"\0" in path:
        raise Invalid("A path contains a NUL byte.")
    if b"/." not in path and b"//" not in path and path[0] not in b"/." and path[-1] != _SLASH:
        return  # by far the most
    enclosed = b"/" + path + b"/"
    if any(part in enclosed for part in _FORBIDDEN):
        raise Invalid(f"A path is not plainly relative: {path[:200]!r}.")


def check_paths(paths: Sequence[bytes]) -> None:
    """Refuse any of these paths that ``check_path`` refuses, in a fraction of the time.

    Raises:
        Invalid: as there.
    """
    for begin in range(0, len(paths), _AT_ONCE):
        some = paths[begin : begin + _AT_ONCE]
        enclosed = b"/%s/" % b"/\0/".join(some)
        if (
            enclosed.count(b"\0") >= len(some)
            or any(part in enclosed for part in _FORBIDDEN)
            or max(map(len, some)) > MAX_PATH
        ):
            for path in some:
                check_path(path)


def check_entry(entry: Entry) -> None:
    """Refuse an entry that cannot be stored, or that a restore must not act on.

    Raises:
        Invalid: its path or link target could escape, or its numbers are impossible.
        Unstorable: it is a symlink to nothing at all.
    """
    check_path(entry.path)
    if entry.type is EntryType.HARDLINK:
        check_path(entry.target)
        if not entry.target or entry.target == entry.path:
            raise Invalid("A hard link does not name another entry.")
    elif entry.type is EntryType.SYMLINK and not _is_target(entry.target):
        raise Unstorable("A symlink has no usable target.")
    if not entry.path and entry.type is not EntryType.DIRECTORY:
        raise Invalid("The root of a component is not a directory.")
    if not (0 <= entry.mode <= PERMISSIONS and 0 <= entry.size < _END_OF_FILES):
        raise Invalid(f"An entry has an impossible mode or size: {entry.mode:o}, {entry.size}.")
    if max(entry.device) >= _END_OF_DEVICES:
        raise Invalid(f"A device has an impossible number: {entry.device}.")
    if entry.extents is not None:
        _check_extents(entry.extents, entry.size)


def _is_target(target: bytes) -> bool:
    return 0 < len(target) <= MAX_PATH and b"\0" not in target


def _check_extents(extents: tuple[tuple[int, int], ...], size: int) -> None:
    end = 0
    for offset, length in extents:
        if offset < end or length <= 0 or offset + length > size:
            raise Invalid(f"Extents of a sparse file overlap or leave it: ({offset}, {length}).")
        end = offset + length
