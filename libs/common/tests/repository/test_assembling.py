"""What waits while one file of a tree takes long to read."""

from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from common.openfiles import share_of_open_files
from common.repository.found import Found, OpenFolder, pack_state
from common.repository.ingesting.assembling import OPEN_FOLDERS, WAITING_PART, Assembler
from common.repository.ingesting.stretch import MOST_FOLDERS
from common.repository.ingesting.tasks import Task


class Slow:
    """Readers that do nothing until they are waited for."""

    def __init__(self) -> None:
        self.tasks: deque[Task] = deque()

    def submit(self, task: Task, *, last: bool = False) -> None:
        del last
        self.tasks.append(task)

    def wait(self) -> None:
        task = self.tasks.popleft()
        task.done(["it is gone" for _ in task.files], {})


def test_folders_that_wait_are_not_open_without_end(tmp_path: Path) -> None:
    """Lost: every file past the limit of open files, where each has a folder to itself."""
    (tmp_path / "file").touch()
    state, readers = pack_state((tmp_path / "file").stat()), Slow()
    warnings: list[str] = []
    tree = SimpleNamespace(warn=warnings.append, take_blocks=list, entries=0, size=0)
    assembler = Assembler(
        cast(Any, tree),
        readers,
        cast(Any, None),
        lambda *_: False,
        cache=None,
        advance=lambda _: None,
    )
    allowed = share_of_open_files(OPEN_FOLDERS, WAITING_PART)
    most, count = 0, 3 * OPEN_FOLDERS
    for number in range(count):
        folder, path = OpenFolder(-1), b"%08d/file" % number
        found = SimpleNamespace(path=path, folder=folder, name=b"file", state=state)
        assembler.add_found([cast(Found, found)])
        most = max(most, sum(len(task.files) for task in readers.tasks))
    assembler.finish()
    assert allowed / 2 < most <= allowed + MOST_FOLDERS
    assert len(warnings) == count
