"""Whole objects in wrong places, times and lengths: what the storage can do without any key."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.disk import Contents, read_tree, write_tree
from chaos.orderly import small_and_orderly
from chaos.scenarios import PRUNE, ROTATE, A, B, forget
from chaos.world import create_at, fresh, open_at, plain_config, restore
from common.errors import Corrupt, NotFound
from common.repository.format.pack import HEADER_SIZE, TRAILER_SIZE
from vault import make_keys

FOLDERS = ("keys", "packs", "index", "snapshots")
CONTENTS = {"a": A.files, "b": B.files}


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Contents]:
    """A repository as it was: before a deletion, after it, and after a rotation; and another."""
    found, folder = {}, tmp_path_factory.mktemp("states")
    with small_and_orderly():
        config, other = plain_config(make_keys()), plain_config(make_keys())
        create_at(folder / "place", config)
        for name, steps in (
            ("before", (A, B)),
            ("pruned", (forget("a"), PRUNE)),
            ("new", (ROTATE,)),
        ):
            for step in steps:
                step.do(folder / "place")
            found[name] = read_tree(folder / "place")
        create_at(folder / "other", other)
        A.do(folder / "other")
        found["other"] = read_tree(folder / "other")
    return found


@pytest.fixture
def place(memory: Path) -> Iterator[Path]:
    with small_and_orderly():
        yield memory / "place"


def objects(contents: Contents, folder: str) -> dict[str, bytes]:
    """The objects in a folder."""
    return {
        path: data
        for path, data in contents.items()
        if path.startswith(f"{folder}/") and data is not None
    }


def look(place: Path, contents: Contents) -> tuple[set[str], set[str], list[str]]:
    """What a check finds, which backups restore, and what the others say. Nothing else happens."""
    write_tree(fresh(place), contents)
    whole: set[str] = set()
    complaints: list[str] = []
    try:
        reader = open_at(place)
    except Corrupt as error:
        return {"config"}, whole, [error.message]
    found = {finding.object for finding in reader.check(read_data=True).findings}
    for info in reader.snapshots():
        try:
            assert restore(reader, info.id) == CONTENTS[info.backup_name]
            whole.add(info.backup_name)
        except (Corrupt, NotFound) as error:
            complaints.append(error.message)
    return found, whole, complaints


@pytest.mark.parametrize("folder", FOLDERS)
def test_objects_of_another_repository_are_told_and_change_nothing(
    place: Path, states: dict[str, Contents], folder: str
) -> None:
    """Lost: the border between two repositories under one passphrase."""
    foreign = objects(states["other"], folder)
    found, whole, _ = look(place, {**states["before"], **foreign})
    # A pack that nothing lists is like one of a dead run: prune removes it.
    assert found == (set() if folder == "packs" else foreign.keys())
    assert whole == {"a", "b"}


@pytest.mark.parametrize("folder", FOLDERS[1:])
def test_objects_that_were_removed_may_come_back(
    place: Path, states: dict[str, Contents], folder: str
) -> None:
    """Lost: a deletion, undone by whoever has the disk; or a backup, by what is put back."""
    gone = objects(states["before"], folder).items() - objects(states["pruned"], folder).items()
    found, whole, complaints = look(place, {**states["pruned"], **dict(gone)})
    assert gone
    assert not complaints
    assert whole == {"b"}
    assert all(name.startswith(folder) for name in found)


def test_old_run_keys_put_back_after_a_rotation_are_told(
    place: Path, states: dict[str, Contents]
) -> None:
    """Lost: backups, to keys that nothing opens, and nobody knows before a restore."""
    used = objects(states["pruned"], "keys")
    found, whole, complaints = look(place, {**states["new"], **used})
    assert found & used.keys()
    assert not whole
    assert all(any(name in complaint for name in used) for complaint in complaints)


def test_swapped_run_keys_are_told(place: Path, states: dict[str, Contents]) -> None:
    """Lost: packs opened by the key of another run."""
    one, two = objects(states["before"], "keys")
    keys = {one: states["before"][two], two: states["before"][one]}
    found, whole, complaints = look(place, {**states["before"], **keys})
    assert found >= {one, two}
    assert not whole
    assert all(one in complaint or two in complaint for complaint in complaints)


def test_renamed_packs_are_told(place: Path, states: dict[str, Contents]) -> None:
    """Lost: a file, silently another one's content."""
    for name, data in objects(states["before"], "packs").items():
        wrong = name[:-1] + ("0" if name[-1] != "0" else "1")
        contents = {path: each for path, each in states["before"].items() if path != name}
        found, _, complaints = look(place, {**contents, wrong: data})
        assert found & {name, wrong}
        assert all(name in complaint for complaint in complaints)


def borders(name: str, data: bytes) -> set[int]:
    """Where an object may be cut between two of its parts, and beside it."""
    found = {0, 1, 7, 8, 12, 40, len(data) // 2, len(data) - 64, len(data) - 32, len(data) - 16}
    if name.startswith("packs/"):
        length = int.from_bytes(data[-TRAILER_SIZE:], "little")
        found |= {24, HEADER_SIZE, len(data) - TRAILER_SIZE - length, len(data) - TRAILER_SIZE}
    return {at + step for at in found for step in (-1, 0) if 0 <= at + step < len(data)}


@pytest.mark.parametrize("folder", ["config", *FOLDERS])
def test_objects_cut_at_each_border_are_told(
    place: Path, states: dict[str, Contents], folder: str
) -> None:
    """Lost: trust in a check, to an object that ends where one may end."""
    before = states["before"]
    name = min(objects(before, folder), default="config")
    data = before[name] or b""
    for length in sorted(borders(name, data)):
        found, whole, complaints = look(place, {**before, name: data[:length]})
        assert name in found, length
        assert whole != {"a", "b"} or folder in {"index", "packs"}, length
        assert all(name in complaint for complaint in complaints), (length, complaints)
