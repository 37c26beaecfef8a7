import os
from pathlib import Path

import pytest

from common.components.files.restoring import leftovers
from common.errors import Conflict
from restore_worker.targets import Targets


def test_a_restore_takes_its_place_when_it_is_whole(tmp_path: Path) -> None:
    """A half-made restore at the target would be taken for a whole one."""
    targets = Targets(tmp_path / "restores")
    folder = targets.begin("r1", 1)
    (folder / "files").mkdir()
    assert not (tmp_path / "restores" / "drill").exists()
    targets.place(folder, "drill", "r1", {"entries": 1})
    targets.discard("r1")
    assert [path.name for path in (tmp_path / "restores").iterdir()] == ["drill"]
    assert (tmp_path / "restores" / "drill" / "files").is_dir()
    assert (tmp_path / "restores").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_a_strangers_things_are_never_touched(tmp_path: Path, make: object) -> None:
    """An operator's folder of that name may be all that is left of the data."""
    targets = Targets(tmp_path)
    stranger = tmp_path / "drill"
    if make is Path.mkdir:
        stranger.mkdir()
        (stranger / "precious").touch()
    else:
        stranger.touch()
    with pytest.raises(Conflict, match="drill"):
        targets.check_free("drill")
    folder = targets.begin("r1", 1)
    with pytest.raises(Conflict, match="drill"):
        targets.place(folder, "drill", "r1", {})
    targets.discard("r1")
    assert stranger.exists()
    assert not stranger.is_dir() or (stranger / "precious").exists()


def test_an_empty_folder_is_a_free_target(tmp_path: Path) -> None:
    targets = Targets(tmp_path)
    (tmp_path / "drill").mkdir()
    targets.check_free("drill")
    targets.place(targets.begin("r1", 1), "drill", "r1", {})


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A link below the restore root would lead a restore anywhere."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "drill").symlink_to(tmp_path)
    with pytest.raises(Conflict):
        Targets(tmp_path / "root").check_free("drill")


def test_the_next_attempt_goes_on(tmp_path: Path) -> None:
    """Evicted after hours, a restore would begin anew; or leave in it what nobody needs."""
    targets = Targets(tmp_path)
    files = targets.begin("r1", 9) / "files"
    files.mkdir(mode=0o500)
    (files / "whole").touch()
    (files / ".strongroom-restore-1.part-2").touch()
    (files / ".strongroom-restore-3").touch()
    other = targets.begin("r2", 1)
    folder = targets.begin("r1", 10)
    assert {path.name for path in tmp_path.iterdir()} == {folder.name, other.name}
    found = {path.name for path in (folder / "files").iterdir()}
    assert found == {"whole", ".strongroom-restore-1.part-2"}
    assert (folder / "files").stat().st_mode & 0o777 == 0o700
    assert targets.begun() == {"r1", "r2"}


def test_an_attempt_that_may_wake_up_is_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it writes then must not mix with ours, even if nobody may read what it has."""
    monkeypatch.setattr(leftovers, "PATIENCE", 0)
    targets = Targets(tmp_path)
    locked = targets.begin("r1", 1) / "locked"
    locked.mkdir()
    (locked / "inner").mkdir()
    (locked / "inner").chmod(0)
    frozen = os.open(locked, os.O_RDONLY)
    leftovers.claim(frozen, "")
    folder = targets.begin("r1", 2)
    os.close(frozen)
    assert list(tmp_path.iterdir()) == [folder]
    assert list(folder.iterdir()) == []


def test_what_was_put_in_place_before_a_crash_is_recognised(tmp_path: Path) -> None:
    """Killed between the last step and its record, a restore must neither fail nor run twice."""
    targets = Targets(tmp_path)
    targets.place(targets.begin("r1", 1), "drill", "r1", {"entries": 5})
    assert targets.placed("drill", "r1") == {"entries": 5}
    assert targets.placed("drill", "r2") is None
    (tmp_path / "drill").rename(tmp_path / "moved")
    assert targets.placed("drill", "r1") is None
    (tmp_path / "drill").mkdir()
    assert targets.placed("drill", "r1") is None


def test_what_a_failed_restore_could_save_is_kept(tmp_path: Path) -> None:
    """The files that came back from a damaged backup may be all that there is."""
    targets = Targets(tmp_path)
    files = targets.begin("r1", 1) / "files"
    files.mkdir()
    (files / "saved").touch()
    (files / ".strongroom-restore-1.part-2").touch()
    assert targets.keep_partial("drill", "r1") == tmp_path / "drill.incomplete"
    assert [path.name for path in (tmp_path / "drill.incomplete/files").iterdir()] == ["saved"]
    (targets.begin("r2", 1) / "saved").touch()
    assert targets.keep_partial("drill", "r2") == tmp_path / "drill.incomplete.r2"
    targets.begin("r3", 1)
    assert targets.keep_partial("drill", "r3") is None
    assert targets.begun() == set()
