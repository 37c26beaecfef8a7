"""Folders below the restore root: a restore is made aside and takes its place when it is whole.

Beside the targets stand this service's own entries, ``.restoring.<restore id>.<attempt>`` (the
folder of one attempt) and ``.restoring.<restore id>.placed`` (which folder was put in place, and
what it came to). So a half-made restore is never taken for a whole one, an attempt never shares a
folder with one that is still at work, and what is at the target is only ever touched where it is
provably our own.
"""

import errno
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from common.components.files.restoring.arriving import temporary_name
from common.components.files.restoring.leftovers import PREFIX, claim, sweep
from common.errors import Conflict, Invalid

_PREFIX = ".restoring."
_PLACED = "placed"


class Targets:
    """The restore root. Blocking; every name given to it has passed ``domain.check_name``."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def check_free(self, target: str) -> None:
        """Refuse a target that exists and holds something.

        Raises:
            Conflict: it does.
        """
        path = self._root / target
        try:
            taken = not stat.S_ISDIR(path.lstat().st_mode) or _holds_something(path)
        except FileNotFoundError:
            return
        if taken:
            raise Conflict(
                f"{path} exists already and is not an empty folder.",
                remedy="Choose another target, or empty that one.",
            )

    def begin(self, restore_id: str, attempt: int) -> Path:
        """The folder for this attempt: what the one before has left, to go on with it, or empty.

        Raises:
            Invalid: the root cannot be written to.
        """
        folder = self._root / f"{_PREFIX}{restore_id}.{attempt}"
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            before = self._folders(restore_id)
            if before and _is_left(before[-1]):
                before[-1].rename(folder)
            self.discard(restore_id, but=folder)
            folder.mkdir(mode=0o700, exist_ok=True)
        except PermissionError as error:
            raise Invalid(
                f"{self._root} cannot be written to.",
                remedy="Set BACKUP_RESTORE_DIR to a folder that belongs to this service's user.",
            ) from error
        return folder

    def place(self, folder: Path, target: str, restore_id: str, outcome: dict[str, Any]) -> None:
        """Make the finished ``folder`` the target, in one step.

        Raises:
            Conflict: something has come to stand at the target meanwhile.
        """
        status = folder.lstat()
        note = {"device": status.st_dev, "inode": status.st_ino, "outcome": outcome}
        self._write_note(self._note(restore_id), json.dumps(note).encode())
        try:
            folder.rename(self._root / target)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EBUSY}:
                raise
            raise Conflict(
                f"{self._root / target} is not an empty folder any more.",
                remedy="Restore to another target.",
            ) from error
        _flush_folder(self._root)

    def is_empty(self, folder: Path) -> bool:
        """Whether a restore has put nothing into its folder: all went into databases."""
        return not _holds_something(folder)

    def placed(self, target: str, restore_id: str) -> dict[str, Any] | None:
        """The outcome of this very restore if an earlier attempt put it in place, else None."""
        try:
            note: dict[str, Any] = json.loads(self._note(restore_id).read_bytes())
            status = (self._root / target).lstat()
        except (FileNotFoundError, ValueError):
            return None
        if (status.st_dev, status.st_ino) != (note["device"], note["inode"]):
            return None
        outcome: dict[str, Any] = note["outcome"]
        return outcome

    def keep_partial(self, target: str, restore_id: str) -> Path | None:
        """Put what a failed restore had written where people find it; None if there is nothing."""
        written = [folder for folder in self._folders(restore_id) if _holds_something(folder)]
        kept = None
        if written:
            kept = self._root / f"{target}.incomplete"
            if os.path.lexists(kept):
                kept = self._root / f"{target}.incomplete.{restore_id}"
            written[-1].rename(kept)
            _remove_nameless(kept)
        self.discard(restore_id)
        return kept

    def discard(self, restore_id: str, but: Path | None = None) -> None:
        """Remove all of this service's own entries for a restore; never the target."""
        for entry in self._own(lambda found: found == restore_id):
            if entry.path == str(but):
                continue
            if entry.is_dir(follow_symlinks=False):
                remove_tree(Path(entry.path))
            else:
                Path(entry.path).unlink(missing_ok=True)

    def _folders(self, restore_id: str) -> list[Path]:
        """Those of the attempts at a restore, in their order."""
        entries = self._own(lambda found: found == restore_id)
        found = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
        return sorted(found, key=lambda path: int(path.suffix[1:]))

    def begun(self) -> set[str]:
        """The ids of all restores that have entries here."""
        return {_restore_id(entry.name) for entry in self._own(lambda _: True)}

    def _own(self, accept: Callable[[str], bool]) -> Iterable["os.DirEntry[str]"]:
        try:
            with os.scandir(self._root) as entries:
                return [
                    entry
                    for entry in entries
                    if entry.name.startswith(_PREFIX) and accept(_restore_id(entry.name))
                ]
        except FileNotFoundError:
            return []

    def _note(self, restore_id: str) -> Path:
        return self._root / f"{_PREFIX}{restore_id}.{_PLACED}"

    def _write_note(self, path: Path, content: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _flush_folder(path.parent)


def _restore_id(name: str) -> str:
    return name.removeprefix(_PREFIX).rpartition(".")[0]


def _is_left(folder: Path) -> bool:
    """Whether nobody is at work any more in the folders of components; whatever else is old goes.

    A process that still is, perhaps frozen with its worker, holds the lock of one of them.
    """
    try:
        for path in folder.iterdir():
            file = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if not claim(file, str(path)):
                    return False
                os.fchmod(file, 0o700)
                sweep(file, own=temporary_name())
            finally:
                os.close(file)
    except (Conflict, OSError):
        return False
    return True


def _remove_nameless(folder: Path) -> None:
    """Remove what was left of files for another attempt, which will not come."""
    for path, _, names in os.walk(folder):
        for name in names:
            if name.startswith(os.fsdecode(PREFIX)):
                with suppress(OSError):
                    Path(path, name).unlink()


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _holds_something(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return any(entries)


def remove_tree(folder: Path) -> None:
    """Remove a restored tree, also where its folders forbid it to their owner."""
    folder.chmod(0o700)
    for path, names, _ in os.walk(folder):
        for inner in (Path(path, name) for name in names):
            if not inner.is_symlink():
                inner.chmod(0o700)
    shutil.rmtree(folder)
