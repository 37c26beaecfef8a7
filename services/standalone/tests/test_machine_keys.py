"""The keys of one machine: shown without being told, changed without losing a backup."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.crypto.keys import PassphraseProvider, Secret
from common.crypto.strength import listed
from common.crypto.stretching import FEWEST_ITERATIONS
from common.errors import Conflict, NotFound, WrongKey
from common.repository.format.config import RepositoryConfig
from common.repository.opening import create, open_reader
from http_double import Double
from standalone.product import machinekeys
from standalone.product.datadir import DataDirectory
from standalone.product.machinekeys import FORMER, KEY, NEXT
from standalone.product.wiring import keys_of

Run = Callable[..., Any]


class Quick(PassphraseProvider):
    """Stretches as little as is allowed."""

    def __init__(
        self, key: Secret, salt: bytes | None = None, iterations: int = FEWEST_ITERATIONS
    ) -> None:
        super().__init__(key, salt, iterations)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataDirectory:
    for name in ("BACKUP_ENCRYPTION_KEY", "BACKUP_ENCRYPTION_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    for module in ("common.repository.format.config", "standalone.product.machinekeys"):
        monkeypatch.setattr(f"{module}.PassphraseProvider", Quick)
    made = DataDirectory(tmp_path / "data")
    with made.opened():
        create(made.repository, RepositoryConfig.create(made.secret(KEY), bytes(range(32))))
    return made


def test_a_change_leaves_one_key_that_opens_everything(directory: DataDirectory) -> None:
    """Lost: every backup, or the reason to change the key at all."""
    former = directory.secret(KEY)
    writer = keys_of(directory).writer
    done = machinekeys.change(directory)
    assert (done.generation, done.resumed, done.waiting) == (4, False, False)
    assert keys_of(directory).encryption == directory.secret(KEY) != former
    assert keys_of(directory).writer == writer
    with pytest.raises(WrongKey):
        open_reader(directory.repository, former)
    assert not directory.has_secret(NEXT)
    assert not directory.has_secret(FORMER)


def test_keys_in_lists_are_renewed_with_it(directory: DataDirectory, strongroom: Run) -> None:
    """Lost: tokens sealed under the former key, or a key that is never changed."""
    former = directory.secret("encryption_key").get_secret_value()
    machinekeys.change(directory)
    newest, *rest = listed(directory.secret("encryption_key"))
    assert newest != former
    assert rest == [former]
    shown = json.loads(strongroom("keys", "status", "--data", directory.path, "--json").out)
    assert {key["name"]: key["former"] for key in shown["keys"]}["ENCRYPTION_KEY"] == 1
    assert not directory.has_secret("security_encryption_key")


@pytest.mark.parametrize(
    "step",
    ["change_encryption_key", "settle", "rotate", "forget_former"],
)
@pytest.mark.parametrize("starts_between", [False, True])
def test_a_change_that_is_cut_off_goes_on(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch, step: str, *, starts_between: bool
) -> None:
    """Lost: the only key, with the power."""

    def power_cut(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    if step == "forget_former":
        directory.second_copy.mkdir()
        (directory.second_copy / "config").write_bytes(b"the former one")
    with monkeypatch.context() as cut:
        cut.setattr(machinekeys, step, power_cut)
        with pytest.raises(KeyboardInterrupt):
            machinekeys.change(directory)
    if starts_between:
        open_reader(directory.repository, keys_of(directory).encryption)
    (directory.second_copy / "config").unlink(missing_ok=True)
    machinekeys.change(directory)
    open_reader(directory.repository, keys_of(directory).encryption)
    assert not directory.has_secret(NEXT)
    assert not directory.has_secret(FORMER)


def test_the_former_key_stays_as_long_as_the_copy_needs_it(directory: DataDirectory) -> None:
    """Lost: the second copy, if the first disk dies just after the change."""
    copied = (directory.repository / "config").read_bytes()
    create(directory.second_copy, copied)
    former, made_at = directory.secret(KEY), directory.secret_made_at(KEY) - 86_400
    os.utime(directory.path / "secrets" / KEY, (made_at, made_at))
    assert machinekeys.change(directory).waiting
    open_reader(directory.second_copy, directory.secret(FORMER))
    assert directory.secret(FORMER) == former
    assert directory.secret_made_at(FORMER) == pytest.approx(made_at, abs=1)
    with pytest.raises(Conflict, match="second copy"):
        machinekeys.change(directory)
    (directory.second_copy / "config").write_bytes((directory.repository / "config").read_bytes())
    assert not machinekeys.change(directory).resumed


def test_a_former_key_is_retired_once_the_copy_has_followed(
    directory: DataDirectory, strongroom: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the second copy; or an answer to whoever asks too early, twice or elsewhere."""
    create(directory.second_copy, (directory.repository / "config").read_bytes())
    machinekeys.change(directory)

    def retire(name: str) -> Any:
        return strongroom("keys", "retire", name, "--data", directory.path, "--json")

    early = retire("backup_encryption_key")
    assert (early.code, "second copy" in early.err) == (6, True)
    assert f"remove {directory.second_copy}" in early.err
    assert directory.has_secret(FORMER)
    (directory.second_copy / "config").write_bytes((directory.repository / "config").read_bytes())
    unasked = retire("BACKUP_ENCRYPTION_KEY")
    assert (unasked.code, "--yes" in unasked.err) == (2, True)
    assert json.loads(retire("SECURITY_ENCRYPTION_KEY").out)["retired"] == 0
    monkeypatch.setenv("ENCRYPTION_KEY", "given")
    assert "by the environment" in retire("ENCRYPTION_KEY").err


def test_status_shows_no_key(
    directory: DataDirectory, strongroom: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the key, to whoever looks over a shoulder."""
    key = directory.secret(KEY).get_secret_value()
    outcome = strongroom("keys", "status", "--data", directory.path, "--json")
    assert key not in outcome.out + outcome.err
    shown = json.loads(outcome.out)
    (found,) = shown["keys"]
    assert (found["source"], found["weak"]) == (f"secrets/{KEY}", "")
    assert len(found["fingerprint"]) == 8
    assert 0 <= found["age_seconds"] < 600
    assert shown["repository"]["generation"] == 1
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", key)
    plain = strongroom("keys", "status", "--data", directory.path)
    assert "the environment" in plain.out
    assert found["fingerprint"] in plain.out
    assert key not in plain.out


def test_a_server_says_how_far_sealing_anew_has_come(strongroom: Run, gateway: Double) -> None:
    """Lost: what is sealed under a former key, taken away too early."""
    done = {
        "setting": "ENCRYPTION_KEY", "key_id": "5f2c9a1b7d3e4860", "former_keys": 1,
        "secrets": 12, "under_former_keys": 0, "unreadable": 0, "resealed": 12,
        "finished_at": "2026-11-22T02:00:00Z", "droppable": True,
    }  # fmt: skip
    rest = {**done, "under_former_keys": 4, "droppable": False, "finished_at": None}
    lost = {**rest, "unreadable": 1}
    path = "GET /api/v2/security/keys"
    gateway.answers[path] = [
        (200, {"data": {"keys": [each], "unanswered": []}}) for each in (done, rest, lost)
    ]
    finished, going_on, unreadable = (strongroom("keys", "status") for _ in range(3))
    assert (finished.code, "nothing stored here needs" in finished.out) == (0, True)
    assert (going_on.code, "8 of 12" in going_on.out) == (0, True)
    assert (unreadable.code, "put the former key back" in unreadable.err) == (1, True)
    assert json.loads(strongroom("keys", "status", "--json").out)["keys"] == [lost]


def test_rotate_says_what_it_did_and_what_it_needs(
    directory: DataDirectory, strongroom: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: knowing whether it is done."""
    with directory.opened():
        assert strongroom("keys", "rotate", "--data", directory.path).code == 6
    done = strongroom("keys", "rotate", "--data", directory.path)
    assert done.code == 0
    assert "0 run keys wrapped anew" in done.err
    assert strongroom("keys", "rotate").code == 2
    assert strongroom("keys", "rotate", "--data", directory.path / "elsewhere").code == 2
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", "given")
    assert "strongroom keys change" in strongroom("keys", "rotate", "--data", directory.path).err


def test_without_a_repository_there_is_nothing_to_change(tmp_path: Path) -> None:
    """Lost: the key of the first backup, changed before it is used."""
    empty = DataDirectory(tmp_path / "data")
    with empty.opened(), pytest.raises(NotFound):
        machinekeys.change(empty)
