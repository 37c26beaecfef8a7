"""Files that are at the target already, as they are in the backup."""

import os
import stat
from dataclasses import dataclass

from common.components.files.metadata import Applier
from common.repository.entry import Entry
from common.repository.tree import Source

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Present:
    """Recognises them: by size and time at first, then by every byte of their content."""

    source: Source
    applier: Applier

    def accept(self, entry: Entry, folder: int, name: bytes) -> bool:
        """Whether the file is there; then it has the metadata of the entry as well.

        It must have no other name, and be ours or its owner's: what is put on it would be put on
        somebody else's file otherwise.
        """
        try:
            if not self._resembles(entry, os.stat(name, dir_fd=folder, follow_symlinks=False)):
                return False
            file = os.open(name, READ, dir_fd=folder)
        except OSError:  # not there, or not to be read
            return False
        try:
            if not self._resembles(entry, os.fstat(file)) or not self.source.holds(entry, file):
                return False
            self.applier.apply(entry, file)
        except OSError:
            return False
        finally:
            os.close(file)
        return True

    def _resembles(self, entry: Entry, status: os.stat_result) -> bool:
        return (
            stat.S_ISREG(status.st_mode)
            and status.st_size == entry.size
            and status.st_mtime_ns == entry.mtime_ns
            and status.st_nlink == 1
            and status.st_uid in {os.geteuid(), self.applier.owner(entry)[0]}
        )
