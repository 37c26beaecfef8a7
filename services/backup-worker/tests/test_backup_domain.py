from typing import get_args

import pytest

from backup_worker.domain import Head, Place, chain_of, choose, is_incremental, next_place
from common.errors import Invalid
from common.messages import BackupType, RunBackup

KINDS = {"files": "files", "database": "postgres", "till": "sqlite", "settings": "config"}


def command(backup_type: BackupType = "full", components: tuple[str, ...] = ()) -> RunBackup:
    return RunBackup(
        backup_id="b1", backup_name="daily", backup_type=backup_type, components=components
    )


def test_a_chain_belongs_to_a_plan_of_a_station() -> None:
    """Two stations in one chain would report each other's snapshots as missing."""
    assert chain_of(command()) == "main/manual"


@pytest.mark.parametrize(
    ("backup_type", "expected"),
    [
        ("full", ["files", "database", "till", "settings"]),
        ("incremental", ["files", "database", "till", "settings"]),
        ("db_full", ["database", "till"]),
        ("files", ["files"]),
        ("config", ["settings"]),
    ],
)
def test_the_type_chooses_where_no_name_does(backup_type: BackupType, expected: list[str]) -> None:
    """A full backup that leaves a component out is found out on the day of the restore."""
    assert choose(command(backup_type), KINDS) == expected


@pytest.mark.parametrize("backup_type", get_args(BackupType))
def test_an_incremental_one_alone_leaves_unchanged_files_unread(backup_type: BackupType) -> None:
    """A full backup that trusts the file cache never sees what rots under an unchanged time."""
    expected = backup_type in {"incremental", "db_incremental"}
    assert is_incremental(command(backup_type)) is expected


def test_names_are_taken_in_the_order_configured() -> None:
    """The same request must make the same snapshot."""
    assert choose(command(components=("till", "files")), KINDS) == ["files", "till"]


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    """A mistyped name must not silently back up nothing."""
    with pytest.raises(Invalid, match=r"no component filse.*files, database") as caught:
        choose(command(components=("filse", "files")), KINDS)
    assert "settings" in caught.value.remedy


def test_nothing_to_back_up_is_an_error() -> None:
    """An empty backup that succeeds is the worst kind."""
    with pytest.raises(Invalid, match="nothing"):
        choose(command("config"), {"files": "files"})


def test_the_first_snapshot() -> None:
    assert next_place(Head(), Head()) == Place(1, None)


def test_the_next_snapshot_follows_the_known_head() -> None:
    assert next_place(Head(4, "four"), Head(4, "four")) == Place(5, "four")


def test_a_repository_that_is_ahead_is_followed() -> None:
    """A service that lost its database must not fork the chain."""
    assert next_place(Head(), Head(9, "nine")) == Place(10, "nine")
    assert next_place(Head(8, "eight"), Head(9, "nine")) == Place(10, "nine")


@pytest.mark.parametrize("found", [Head(3, "three"), Head(4, "another"), Head()])
def test_a_missing_head_is_named_and_the_gap_stays_visible(found: Head) -> None:
    """A removed snapshot must not vanish without a trace with the next backup."""
    place = next_place(Head(4, "four"), found)
    assert (place.counter, place.previous) == (5, "four")
    assert "four" in place.warning
