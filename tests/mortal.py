"""A folder of objects whose process dies at a chosen change: for every moment of a job."""

from collections.abc import Callable
from pathlib import Path

from common.storage.draft import Draft
from common.storage.local import LocalDirectory
from common.storage.store import ObjectInfo


class Killed(BaseException):
    """Stands for SIGKILL: nobody catches it."""


class Mortal(LocalDirectory):
    """Dies instead of making change number ``lives`` (from 0), and at every one after it."""

    def __init__(self, path: Path, lives: int) -> None:
        super().__init__(path)
        self.lives = lives

    def spend(self) -> None:
        """One change; or the end."""
        if self.lives <= 0:
            raise Killed
        self.lives -= 1

    def begin(self, owner: str) -> Draft:
        return _MortalDraft(self, owner)

    def delete(self, name: str) -> None:
        self.spend()
        super().delete(name)


class _MortalDraft(Draft):
    def __init__(self, directory: Mortal, owner: str) -> None:
        self._directory = directory
        super().__init__(directory.path, owner)

    def commit(self, name: str) -> ObjectInfo:
        self._directory.spend()
        return super().commit(name)

    def abort(self) -> None:
        if self._directory.lives > 0:  # the dead clear nothing up
            super().abort()
        elif self._descriptor >= 0:
            self._close()


def dies(job: Callable[[], object]) -> bool:
    """Whether a job is cut off by the end of its process."""
    try:
        job()
    except Killed:
        return True
    return False
