"""Uploaded files: what is wrong with their name, size and content."""

import re
import unicodedata
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath
from typing import BinaryIO

from pure_magic_rs import MagicDb

from gateway.validation.archives import check_archive, leaves_folder
from gateway.validation.kinds import DANGEROUS, EXECUTABLE, EXPECTED, SERVED, fits

EMPTY = "File is empty"
TOO_LARGE = "File too large"
NO_NAME = "File name missing"
BAD_NAME = "File name not allowed"
TRAVERSAL = "File name contains a path"
NOT_ALLOWED = "File type not allowed"
DOUBLE = "File name has a hidden second extension"
MISMATCH = "File content does not match its extension"
DECLARED = "File content does not match its content type"
UNKNOWN = "File type is not known and was not compared"
ACTIVE_PDF = "Document contains scripts"

UNKNOWN_MIME = "application/octet-stream"
EMPTY_MIME = "application/x-empty"
LONGEST_NAME = 255
_LOOKED_AT = 1 << 16
_HIDDEN = r"\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_BAD = re.compile(rf"[\x00-\x1f\x7f<>:\"|?*{_HIDDEN}\ud800-\udfff]")
_DEVICES = re.compile(r"^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.IGNORECASE)
_PDF_ACTION = re.compile(rb"/(?:JavaScript|JS|Launch|OpenAction|AA)\b")
_GENERIC = frozenset({"", UNKNOWN_MIME, "binary/octet-stream", "application/x-www-form-urlencoded"})


@dataclass(slots=True)
class FileInspection:
    """What was found; the file was not changed."""

    file_size: int
    detected_type: str = UNKNOWN_MIME
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def valid(self) -> bool:
        """Whether the file may be taken."""
        return not self.errors


def inspect_file(
    name: str, content_type: str, file: BinaryIO, size: int, max_size: int
) -> FileInspection:
    """Look at an upload. Blocking, and bounded by the size that is allowed."""
    found = FileInspection(size)
    found.errors.extend(_name_errors(name))
    if size > max_size:
        found.errors.append(TOO_LARGE)
        return found
    if size == 0:
        found.errors.append(EMPTY)
        found.detected_type = EMPTY_MIME
        return found
    file.seek(0)
    beginning = file.read(_LOOKED_AT)
    found.detected_type = detect(beginning)
    _compare(found, name, content_type)
    if found.detected_type == "application/pdf" and _has_action(file):
        found.warnings.append(ACTIVE_PDF)
    inside = check_archive(found.detected_type, file, size)
    found.errors.extend(sorted(inside.errors))
    found.warnings.extend(sorted(inside.warnings))
    return found


def _name_errors(name: str) -> list[str]:
    if not name.strip(". "):
        return [NO_NAME]
    errors = []
    if leaves_folder(name) or "/" in name or "\\" in name:
        errors.append(TRAVERSAL)
    too_long = len(name.encode("utf-8", "surrogatepass")) > LONGEST_NAME
    if too_long or _BAD.search(name) or _DEVICES.match(name) or name != name.strip(" ."):
        errors.append(BAD_NAME)
    suffixes = extensions(name)
    if suffixes and suffixes[-1] in DANGEROUS:
        errors.append(NOT_ALLOWED)
    if SERVED.intersection(suffixes[:-1]) or (
        len(suffixes) > 1 and suffixes[-1] in DANGEROUS and suffixes[-2] in EXPECTED
    ):
        errors.append(DOUBLE)
    return errors


def extensions(name: str) -> list[str]:
    """Everything in the name that a system may take for its extension."""
    folded = unicodedata.normalize("NFKC", name).casefold().rstrip(". ")
    last = PurePosixPath(folded.replace("\\", "/").replace("\0", ".")).name
    return [part.strip() for part in last.split(".")[1:]]


def detect(beginning: bytes) -> str:
    """The kind of content, as libmagic's rules name it."""
    if beginning.startswith(b"SQLite format 3\0"):
        return "application/vnd.sqlite3"
    return str(_rules().best_magic_buffer(beginning).mime_type)


@cache
def _rules() -> MagicDb:
    return MagicDb()


def _compare(found: FileInspection, name: str, content_type: str) -> None:
    mime = found.detected_type
    if mime in EXECUTABLE:
        _add(found.errors, NOT_ALLOWED)
    suffixes = extensions(name)
    wanted = EXPECTED.get(suffixes[-1]) if suffixes else None
    if wanted is None:
        found.warnings.append(UNKNOWN)
    elif not fits(mime, wanted) or mime in EXECUTABLE:
        found.errors.append(MISMATCH)
    declared = content_type.partition(";")[0].strip().lower()
    if declared in _GENERIC or declared == mime or (wanted and declared in wanted):
        return
    if declared.startswith("text/") and mime.startswith("text/"):
        return
    found.errors.append(DECLARED)


def _add(errors: list[str], error: str) -> None:
    if error not in errors:
        errors.append(error)


def _has_action(file: BinaryIO) -> bool:
    """Whether a PDF says plainly that it does something when it is opened."""
    file.seek(0)
    tail = b""
    while piece := file.read(_LOOKED_AT):
        if _PDF_ACTION.search(tail + piece):
            return True
        tail = piece[-16:]
    return False
