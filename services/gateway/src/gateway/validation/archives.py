"""Archives that would do harm when they are unpacked: bombs, and members that leave the folder."""

import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, BinaryIO, Protocol

BOMB = "Archive expands too much"
MANY = "Archive has too many members"
ESCAPE = "Archive member leaves its folder"
LINK = "Archive contains links or devices"
NESTED = "Archive contains archives"
SEALED = "Archive is encrypted and cannot be checked"
BROKEN = "Archive is damaged"
MACROS = "Document contains macros"
RUNS = "Archive contains programs"

MOST_MEMBERS = 10_000
MOST_TIMES = 100
"""An archive may grow so many times its size, and text that compresses well by more up to:"""
ALWAYS_FINE = 1 << 20
_PIECE = 1 << 16
_ZIP_LINK = 0o120000
_INNER = (".zip", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".tar", ".jar")
_PROGRAMS = (".exe", ".dll", ".scr", ".bat", ".cmd", ".ps1", ".vbs", ".js", ".jar", ".com", ".lnk")
_DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError,
    ValueError, NotImplementedError, RuntimeError, OverflowError, LookupError,
)  # fmt: skip


class _Readable(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


@dataclass(slots=True)
class Unpacking:
    """What was found in an archive."""

    errors: set[str] = field(default_factory=set)
    warnings: set[str] = field(default_factory=set)

    def member(self, name: str) -> None:
        """Look at the name of a member."""
        if leaves_folder(name):
            self.errors.add(ESCAPE)
        if name.lower().endswith(_INNER):
            self.warnings.add(NESTED)
        if name.lower().endswith(_PROGRAMS):
            self.warnings.add(RUNS)
        if name.lower().endswith("vbaproject.bin"):
            self.errors.add(MACROS)


def leaves_folder(name: str) -> bool:
    """Whether a path would not stay below the folder in which it is unpacked."""
    parts = name.replace("\\", "/").split("/")
    return name.startswith(("/", "\\")) or ".." in parts or name[1:2] == ":" or "\0" in name


def check_archive(mime: str, file: BinaryIO, size: int) -> Unpacking:
    """Look into an archive without unpacking it anywhere; never reads more than it may hold."""
    found = Unpacking()
    allowed = max(ALWAYS_FINE, size * MOST_TIMES)
    try:
        file.seek(0)
        if zipfile.is_zipfile(file):
            _check_zip(file, allowed, found)
        elif opened := _opened(mime, file):
            _check_stream(opened, allowed, found)
    except _DAMAGE:
        found.errors.add(BROKEN)
    return found


def _check_zip(file: BinaryIO, allowed: int, found: Unpacking) -> None:
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > MOST_MEMBERS:
            found.errors.add(MANY)
            return
        for member in members:
            found.member(member.orig_filename)
            if member.external_attr >> 16 & 0o170000 == _ZIP_LINK:
                found.errors.add(LINK)
        if any(member.flag_bits & 1 for member in members):
            found.warnings.add(SEALED)
            return
        if sum(member.file_size for member in members) > allowed:
            found.errors.add(BOMB)
            return
        for member in members:
            allowed = _drain(archive.open(member), allowed)
            if allowed < 0:
                found.errors.add(BOMB)
                return


def _drain(stream: IO[bytes], allowed: int) -> int:
    """Read to the end, or until no more is allowed; how much is still allowed then."""
    with stream:
        while allowed >= 0 and (piece := stream.read(_PIECE)):
            allowed -= len(piece)
    return allowed


def _opened(mime: str, file: BinaryIO) -> _Readable | None:
    file.seek(0)
    if "gzip" in mime:
        return gzip.GzipFile(fileobj=file)
    if "bzip" in mime:
        return bz2.BZ2File(file)
    if mime == "application/x-xz":
        return lzma.LZMAFile(file)
    return file if "tar" in mime else None


class _Bounded:
    """A stream that ends with an error when it gives more than is allowed."""

    def __init__(self, stream: _Readable, allowed: int) -> None:
        self._stream = stream
        self.allowed = allowed

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(min(size, _PIECE) if size >= 0 else _PIECE)
        self.allowed -= len(piece)
        if self.allowed < 0:
            raise _TooMuch
        return piece


class _TooMuch(Exception):
    """The stream gives more than is allowed."""


def _check_stream(stream: _Readable, allowed: int, found: Unpacking) -> None:
    bounded = _Bounded(stream, allowed)
    try:
        for number, member in enumerate(_tar_members(bounded)):
            found.member(member.name)
            if not (member.isfile() or member.isdir()):
                found.errors.add(LINK)
            if number >= MOST_MEMBERS:
                found.errors.add(MANY)
                return
        while bounded.read(_PIECE):
            pass
    except _TooMuch:
        found.errors.add(BOMB)


def _tar_members(stream: _Bounded) -> Iterator[tarfile.TarInfo]:
    """The members, if it is a tar; what is compressed alone has none."""
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:  # type: ignore[call-overload]
            yield from archive
    except tarfile.ReadError:
        return
