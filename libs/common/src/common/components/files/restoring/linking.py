"""Gives what was restored its other names."""

import os
from contextlib import suppress

from common.components.files.metadata import Applier
from common.components.files.restoring.arriving import replace, temporary_name
from common.components.files.restoring.folders import Folders
from common.components.files.restoring.missing import Missing
from common.components.files.restoring.selecting import Selection, Wanted
from common.components.names import show


class Links:
    """The hard links of a restore, made when all that they lead to is there."""

    def __init__(
        self, selection: Selection, folders: Folders, applier: Applier, missing: Missing
    ) -> None:
        self._selection = selection
        self._folders = folders
        self._applier = applier
        self._missing = missing
        self._links: list[Wanted] = []
        self._made = 0

    def add(self, wanted: Wanted) -> None:
        """One more is wanted."""
        self._links.append(wanted)

    def make(self) -> int:
        """Make them; how many there are. What they lead to may bear another time than they were
        seen with: a file that grew meanwhile, or a disk that rounds times. Then the backup says
        what it is.
        """
        attempt = self._missing.attempt
        doubtful = [link for link in self._links if attempt(self._link, link) is False]
        if not doubtful:
            return self._made
        restored = self._restored({link.entry.target for link in doubtful})
        for link in doubtful:
            if link.entry.target in restored:
                attempt(self._link_to, link)
            else:
                self._unlinked(link)
        return self._made

    def _link(self, wanted: Wanted) -> bool:
        target = self._selection.name(wanted.entry.target)
        if not _bears_time(self._folders, target, wanted.entry.mtime_ns):
            return False
        self._link_to(wanted)
        return True

    def _link_to(self, wanted: Wanted) -> None:
        _hard_link(self._folders, self._selection.name(wanted.entry.target), wanted.path)
        self._made += 1

    def _restored(self, targets: set[bytes]) -> set[bytes]:
        """Those of some entries that came to their places."""
        absent, lost = self._missing.failed | self._missing.refused, set(self._missing.lost)
        wanted = (each for each in self._selection if each.entry.path in targets)
        return {each.entry.path for each in wanted if each.path not in absent} - lost

    def _unlinked(self, wanted: Wanted) -> None:
        missing, target = self._missing, self._selection.name(wanted.entry.target)
        if target in missing.failed or wanted.entry.target in missing.lost:
            missing.note(wanted.path, f"{show(target)}, which it is a link to, was not restored")
        elif target in missing.refused:
            missing.refuse(wanted.path)
        else:
            self._applier.warn("its content is not in the backup", wanted.path)


def _bears_time(folders: Folders, path: bytes, mtime_ns: int) -> bool:
    """Whether there is something at ``path``, last changed at this very time."""
    folder, name = folders.parent(path)
    with suppress(FileNotFoundError):
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime_ns == mtime_ns
    return False


def _hard_link(folders: Folders, target: bytes, path: bytes) -> None:
    """Make ``path`` a hard link to what is at ``target``, in the place of whatever is there."""
    folder, name = folders.parent(target)
    folder, temporary = os.dup(folder), temporary_name()
    try:
        here, _ = folders.parent(path)
        os.link(name, temporary, src_dir_fd=folder, dst_dir_fd=here, follow_symlinks=False)
    finally:
        os.close(folder)
    try:
        replace(folders, path, temporary)
    finally:
        # Where the name is a link to the same file already, renaming does nothing.
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folders.parent(path)[0])
