"""Restores from a damaged repository: all that is left comes back, and programs are told of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from common.components.files import FilesComponent
from common.repository.opening import open_reader
from common.repository.prepared import SnapshotMeta
from vault import noise

Run = Callable[..., Any]
KEY = "correct horse battery staple"


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, Path]:
    """Two components, each with a file of its own."""
    found = {name: tmp_path / name for name in ("one", "two")}
    for number, folder in enumerate(found.values()):
        folder.mkdir()
        (folder / "hurt").write_bytes(noise(3_000_000, number))
        (folder / "whole").write_bytes(noise(3_000, 10 + number))
    return found


@pytest.fixture
def damaged(
    strongroom: Run, sources: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A repository that has lost a large file of each component."""
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", KEY)
    repo = tmp_path / "repo"
    assert strongroom("repo", "init", repo).code == 0
    with open_reader(repo, KEY).begin(uuid4()) as run:
        for name, folder in sources.items():
            with run.component(name, "files") as sink:
                sink.details = FilesComponent.of(name, [folder]).capture(sink)
        run.finish(SnapshotMeta("b", "both", "main")).commit_next()
    pack = max((repo / "packs").rglob("*"), key=lambda path: path.stat().st_size)
    content = bytearray(pack.read_bytes())
    for place in (len(content) // 4, len(content) * 3 // 4):
        content[place] ^= 1
    pack.write_bytes(content)
    return repo


@pytest.mark.parametrize("group", ["repo", "rescue"])
def test_damage_in_one_component_keeps_no_other_from_coming(
    strongroom: Run, damaged: Path, sources: dict[str, Path], tmp_path: Path, group: str
) -> None:
    """Lost: all of a backup that comes after a damaged file; or what a script knows of it."""
    outcome = strongroom(group, "restore", damaged, "both", tmp_path / "out", "--json")
    assert outcome.code == 7
    told = json.loads(outcome.out)
    assert told["ok"] is False
    for component in told["components"]:
        source = sources[component["name"]].relative_to("/")
        here = Path(component["folder"], source)
        assert (component["ok"], component["lost"]) == (False, [f"{source}/hurt"])
        assert component["entries"] == len(list(Path(component["folder"]).rglob("*")))
        assert [path.name for path in here.iterdir()] == ["whole"]
        assert f"{source}/hurt" in outcome.err


@pytest.mark.parametrize("group", ["repo", "rescue"])
def test_what_cannot_be_placed_keeps_no_other_component_from_coming(
    strongroom: Run, damaged: Path, sources: dict[str, Path], tmp_path: Path, group: str
) -> None:
    """Lost: all of a backup that comes after a name which the target cannot take."""
    out = tmp_path / "out"
    taken = out / "one" / str(sources["one"].relative_to("/")) / "whole"
    (taken / "something").mkdir(parents=True)
    outcome = strongroom(group, "restore", damaged, "both", out, "--json")
    one, two = json.loads(outcome.out)["components"]
    assert (outcome.code, one["ok"], two["ok"]) == (7, False, False)
    assert "whole" in outcome.err
    assert Path(two["folder"], sources["two"].relative_to("/"), "whole").exists()
    paths = [str(folder / "whole") for folder in sources.values()]
    chosen = paths if group == "repo" else [f"--path={path}" for path in paths]
    outcome = strongroom(group, "restore", damaged, "both", out, *chosen, "--json")
    one, two = json.loads(outcome.out)["components"]
    assert (outcome.code, one["ok"], two["ok"]) == (13, False, True)


def test_what_is_whole_is_told_as_such(
    strongroom: Run, damaged: Path, sources: dict[str, Path], tmp_path: Path
) -> None:
    """Lost: the difference between a good restore and a bad one, to a script."""
    arguments = (damaged, "both", tmp_path / "out", sources["one"] / "whole", "--json")
    outcome = strongroom("repo", "restore", *arguments)
    told = json.loads(outcome.out)
    assert (outcome.code, told["ok"]) == (0, True)
    assert [(each["ok"], each["lost"]) for each in told["components"]] == [(True, [])]
