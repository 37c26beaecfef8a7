"""What storage-uploader decides: the order of sending, its patience, what it may say."""

from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from pydantic import ValidationError

from common.errors import Invalid
from common.service.environment import load
from storage_uploader.domain import Item, pause_after, place_of, stages
from storage_uploader.settings import UploaderSettings


def item(name: str) -> Item:
    return Item(name, 1, b"")


def test_snapshots_are_sent_last() -> None:
    """A destination would list a backup whose content had not arrived."""
    digest = "ab" * 32
    names = [f"packs/ab/{digest}", f"index/{digest}", "keys/" + "cd" * 16, "config"]
    names.append(f"snapshots/{digest}")
    mixed = names * 3
    Random(1).shuffle(mixed)
    found = stages(item(name) for name in mixed)
    assert [{each.name for each in stage} for stage in found] == [{name} for name in names]
    assert sum(map(len, found)) == len(mixed)


def test_only_objects_of_the_format_are_sent() -> None:
    """A file that somebody left in the folder would be copied to a cloud, unsealed."""
    assert stages([item("notes.txt"), item("packs/ab/short"), item("keys/old/copy")]) == []


def test_pauses_grow_and_then_repeat() -> None:
    """A destination that is away for a week would be hammered, or given up."""
    found = [pause_after(number, (60.0, 300.0)) for number in (1, 2, 3, 50)]
    assert found == [timedelta(seconds=each) for each in (60, 300, 300, 300)]


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("file:///mnt/second/", "file:///mnt/second"),
        ("s3://key:hunter2@host:9000/bucket/x?token=hunter2", "s3://host:9000/bucket/x"),
    ],
)
def test_a_place_holds_no_secret(url: str, place: str) -> None:
    """A password would be stored in a table and read by whoever may see it."""
    assert place_of(url) == place


def settings(monkeypatch: pytest.MonkeyPatch, destinations: str) -> UploaderSettings:
    monkeypatch.setenv("DATABASE_URL", "postgresql://x@y/z")
    monkeypatch.setenv("STRONGROOM_DESTINATIONS", destinations)
    return load(UploaderSettings)


def test_destinations_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No copy would ever leave the machine."""
    text = '[{"name": "second", "url": "file:///mnt/second", "mirror_deletions": true}]'
    (destination,) = settings(monkeypatch, text).strongroom_destinations
    assert destination.name == "second"
    assert destination.mirror_deletions
    assert settings(monkeypatch, "").strongroom_destinations == ()


def test_destinations_are_read_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An address with a secret in it could only stand in the environment."""
    path = tmp_path / "destinations"
    path.write_text('[{"name": "second", "url": "file:///mnt/second"}]\n')
    monkeypatch.setenv("DATABASE_URL", "postgresql://x@y/z")
    monkeypatch.setenv("STRONGROOM_DESTINATIONS_FILE", str(path))
    assert [each.name for each in load(UploaderSettings).strongroom_destinations] == ["second"]


@pytest.mark.parametrize(
    "text",
    [
        "no json hunter2",
        '[{"name": "../x", "url": "file:///hunter2"}]',
        '[{"name": "a", "url": "file:///hunter2"}, {"name": "a", "url": "file:///b"}]',
        '[{"name": "a", "url": "file:///hunter2", "typo": 1}]',
    ],
)
def test_wrong_destinations_are_refused_without_repeating_them(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """A mistyped setting would be ignored, or its secret shown on the screen."""
    with pytest.raises((Invalid, ValidationError)) as refused:
        settings(monkeypatch, text)
    assert "STRONGROOM_DESTINATIONS" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("text", ["[-5]", "[60, 0]", "[1e300]", "[]"])
def test_a_pause_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A destination that is away would be asked without a pause, or never again."""
    monkeypatch.setenv("STRONGROOM_UPLOAD_RETRY_SECONDS", text)
    with pytest.raises(Invalid, match="STRONGROOM_UPLOAD_RETRY_SECONDS"):
        settings(monkeypatch, "")


def test_what_a_destination_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost: an hour, to a setting that is said not to be set and is."""
    text = '[{"name": "a", "url": "file:///a"}, {"name": "b"}]'
    with pytest.raises(Invalid, match=r"^STRONGROOM_DESTINATIONS\[1\]\[url\]: Field required\.$"):
        settings(monkeypatch, text)
