"""Trees, and walks that a scout soon goes ahead of."""

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.components.files.walking import walk
from common.components.files.walking.scouting import Scout
from common.forked import Link
from shared_walk import FOLDERS


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Folders in folders, with more than files in some of them."""
    chosen, folders = random.Random(7), [tmp_path / "tree"]
    folders[0].mkdir()
    first = folders[0] / "first"
    first.touch()
    for number in range(FOLDERS):
        folder = chosen.choice(folders) / f"{number:02}{chosen.choice(('', '.d', '-x'))}"
        folder.mkdir()
        folders.append(folder)
        for name in range(chosen.randrange(30)):
            (folder / f"{name}.{chosen.choice(('txt', 'tmp'))}").write_text(str(number))
        if number % 5 == 0:
            (folder / "link").symlink_to("nowhere")
            (folder / "second").hardlink_to(first)
    old = next(folders[0].rglob("*.txt"))
    os.utime(old, ns=(0, 2**63 + 5))  # later than a state can say
    return folders[0]


@pytest.fixture(autouse=True)
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scout goes ahead after a few files, on a machine with one processor too."""
    monkeypatch.setattr(walk, "LONG", 5)
    monkeypatch.setattr(walk, "processors", lambda: 2)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """For each folder that a scout was asked for, whether it had told something of it."""
    found: list[bool] = []
    await_ = Scout._await

    def listen(self: Scout, path: bytes) -> Any:
        told = await_(self, path)
        found.append(told is not None and told.listing is not None)
        return told

    monkeypatch.setattr(Scout, "_await", listen)
    yield found
    assert len(found) > FOLDERS // 2


@pytest.fixture
def never_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scout that leaves no folder to the walk, however long that waits."""
    monkeypatch.setattr(Link, "is_awaited", lambda _: False)
