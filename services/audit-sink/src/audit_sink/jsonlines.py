"""The log as a file: JSON lines, 0600, each on the disk before it counts as written.

Beside ``NAME`` stands ``NAME.position`` with the last place written, so that a fresh file after a
rotation is continued and not begun anew. It is also what keeps a second writer away. Blocking.
"""

import fcntl
import json
import os
from collections.abc import Sequence
from pathlib import Path

from common.errors import Conflict
from common.storage.folders import make_folders

_MODE = 0o600
_BLOCK = 1 << 16
_DIGITS = 20


class JsonLines:
    """The file at ``path``; ``position`` is the place of the last entry that is safe in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._marker = -1
        self.position = 0

    def open(self) -> None:
        """Open or create the file and find out where it ends; half a line is cut off.

        Raises:
            Conflict: another process writes it.
        """
        make_folders(self._path.parent)
        self._marker = _open(self._path.with_name(f"{self._path.name}.position"))
        try:
            fcntl.flock(self._marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise Conflict(f"Another process writes {self._path}.") from error
        self._file = _open(self._path)
        _cut_torn_line(self._file)
        self.position = max(_read_marker(self._marker), _last_seq(self._file))

    @property
    def is_open(self) -> bool:
        """Whether ``append`` may be called."""
        return self._file >= 0

    def append(self, lines: Sequence[tuple[int, bytes]]) -> None:
        """Write the lines behind their places, durably. After an error: ``close``, ``open``."""
        self._follow_rotation()
        data = memoryview(b"".join(line for _, line in lines))
        while data:
            data = data[os.write(self._file, data) :]
        os.fsync(self._file)
        self.position = lines[-1][0]
        os.pwrite(self._marker, f"{self.position:0{_DIGITS}}\n".encode(), 0)
        os.fsync(self._marker)

    def close(self) -> None:
        """Let others write the file."""
        for descriptor in (self._file, self._marker):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._marker = -1

    def _follow_rotation(self) -> None:
        """Go on in a new file when the old one was moved away."""
        mine = os.fstat(self._file)
        try:
            there = self._path.stat()
        except FileNotFoundError:
            there = None
        if there is None or (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino):
            fresh = _open(self._path)
            os.close(self._file)
            self._file = fresh


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    if not path.name.endswith(".position"):
        flags |= os.O_APPEND
    descriptor = os.open(path, flags, _MODE)
    os.fchmod(descriptor, _MODE)
    return descriptor


def _read_marker(descriptor: int) -> int:
    text = os.pread(descriptor, _DIGITS, 0)
    return int(text) if len(text) == _DIGITS and text.isdigit() else 0


def _tail(descriptor: int) -> bytes:
    """The end of the file from the last newline but one on, or all of it."""
    end = os.fstat(descriptor).st_size
    tail = b""
    while end > 0 and tail[:-1].count(b"\n") == 0:
        start = max(end - _BLOCK, 0)
        tail = os.pread(descriptor, end - start, start) + tail
        end = start
    return tail


def _cut_torn_line(descriptor: int) -> None:
    tail = _tail(descriptor)
    torn = len(tail) - (tail.rfind(b"\n") + 1)
    if torn:
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - torn)


def _last_seq(descriptor: int) -> int:
    last = _tail(descriptor).rstrip(b"\n").rpartition(b"\n")[2]
    try:
        return int(json.loads(last)["seq"])
    except (ValueError, KeyError, TypeError):
        return 0
