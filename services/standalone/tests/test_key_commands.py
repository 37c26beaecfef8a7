"""``strongroom keys``: rotation, a new encryption key, recovery keys and their shares."""

import json
import random
from collections.abc import Callable, Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shamir_mnemonic import combine_mnemonics

from common.crypto.keys import RECOVERY_PREFIX, write_key
from common.errors import Invalid, WrongKey
from common.storage.local import LocalDirectory
from standalone.keys import shares

Run = Callable[..., Any]
KEY = "correct horse battery staple"


@pytest.fixture
def repo(strongroom: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", KEY)
    (tmp_path / "letter.txt").write_text("dear reader")
    assert strongroom("repo", "init", tmp_path / "repo").code == 0
    backup = strongroom("repo", "backup", tmp_path / "repo", tmp_path / "letter.txt")
    assert backup.code == 0
    return tmp_path / "repo"


def dumped(strongroom: Run, repo: Path, *options: object) -> Any:
    return strongroom("repo", "dump", repo, "latest", repo.parent / "letter.txt", *options)


def test_a_rotation_changes_keys_and_no_backup(strongroom: Run, repo: Path) -> None:
    """Lost: the backups, or the rotation."""
    keys = {path.name: path.read_bytes() for path in (repo / "keys").iterdir()}
    done = json.loads(strongroom("keys", "rotate", repo, "--json").out)
    assert (done["rewrapped"], done["resumed"], done["generation"]) == (1, False, 3)
    assert all(path.read_bytes() != keys[path.name] for path in (repo / "keys").iterdir())
    assert dumped(strongroom, repo).out == "dear reader"


def test_a_new_encryption_key_replaces_the_former(
    strongroom: Run, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: access for us, or its end for whoever has the former key."""
    writer = strongroom("keys", "writer").out
    new = tmp_path / "new"
    assert strongroom("keys", "generate", "--out", new).code == 0
    assert strongroom("keys", "change", repo, "--new-key-file", new).code == 0
    assert dumped(strongroom, repo).code == 8
    assert dumped(strongroom, repo, "--key-file", new).out == "dear reader"
    assert strongroom("keys", "writer", "--repo", repo, "--key-file", new).out == writer
    monkeypatch.delenv("BACKUP_ENCRYPTION_KEY")
    monkeypatch.setenv("BACKUP_WRITER_KEY", writer.strip())
    assert strongroom("repo", "backup", repo, tmp_path / "letter.txt").code == 0


def test_a_change_that_was_cut_off_behind_its_last_step_goes_on(
    strongroom: Run, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the new key, put away for a failure by whoever repeated what was interrupted."""
    new, another = tmp_path / "new", tmp_path / "another"
    for file in (new, another):
        assert strongroom("keys", "generate", "--out", file).code == 0
    assert strongroom("keys", "change", repo, "--new-key-file", new).code == 0
    settled = list[str]()
    monkeypatch.setattr(LocalDirectory, "settle", lambda _, *names: settled.extend(names))
    again = strongroom("keys", "change", repo, "--new-key-file", new)
    assert (again.code, "already" in again.err, settled) == (0, True, [""])
    wrong = strongroom("keys", "change", repo, "--new-key-file", another)
    assert (wrong.code, "`strongroom keys change`" in wrong.err) == (8, True)


def test_a_key_of_another_kind_becomes_no_encryption_key(
    strongroom: Run, repo: Path, tmp_path: Path
) -> None:
    """Lost: a repository that nothing opens any more; or its content, to all who have that key."""
    writer, safe = tmp_path / "writer", tmp_path / "safe"
    assert strongroom("keys", "writer", "--out", writer).code == 0
    assert strongroom("keys", "recovery", "add", repo, "board", "--out", safe).code == 0
    for file in (writer, safe):
        assert strongroom("keys", "change", repo, "--new-key-file", file).code == 8
        assert strongroom("repo", "init", tmp_path / "new", "--key-file", file).code == 8
    assert dumped(strongroom, repo).out == "dear reader"


def combined(texts: Iterable[str]) -> str:
    """What shares make that were found in files of these names."""
    return shares.combine({f"file-{number}": text for number, text in enumerate(texts, 1)})


def test_a_key_in_the_safe_opens_everything_by_its_shares(
    strongroom: Run, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: every backup, on the day that BACKUP_ENCRYPTION_KEY is."""
    safe, again, folder = tmp_path / "safe", tmp_path / "again", tmp_path / "shares"
    assert strongroom("keys", "recovery", "add", repo, "board", "--out", safe).code == 0
    assert strongroom("keys", "recovery", "add", repo, "board", "--out", safe).code == 0
    (listed,) = json.loads(strongroom("keys", "recovery", "list", repo, "--json").out)
    assert (listed["name"], listed["opens"], listed["run_keys"]) == ("board", 1, 1)
    split = ("keys", "split", "--recovery-key-file", safe, "--shares", 3, "--threshold", 2)
    assert strongroom(*split, "--out", folder).code == 0
    assert strongroom(*split, "--out", folder).code == 6
    files = sorted(folder.iterdir())
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    assert strongroom("keys", "combine", files[0]).code == 2
    assert strongroom("keys", "combine", files[2], files[0], "--out", again).code == 0
    assert again.read_text() == safe.read_text()
    monkeypatch.delenv("BACKUP_ENCRYPTION_KEY")
    assert dumped(strongroom, repo, "--recovery-key-file", again).out == "dear reader"
    out = tmp_path / "out"
    rescue = strongroom("rescue", "restore", repo, "latest", out, "--recovery-key-file", again)
    assert rescue.code == 0
    assert [path.read_text() for path in out.rglob("letter.txt")] == ["dear reader"]


def test_no_key_is_made_for_a_name_that_it_cannot_have(
    strongroom: Run, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the safe, to a key that was kept as told and opens nothing."""
    safe, new = tmp_path / "safe", tmp_path / "new"
    assert strongroom("keys", "recovery", "add", repo, "board", "--out", safe).code == 0
    for name, code in (("board", 6), ("", 2), ("\x1b", 2), ("a" * 101, 2)):
        refused = strongroom("keys", "recovery", "add", repo, name, "--out", new)
        assert (refused.code, new.exists(), "Keep" in refused.err) == (code, False, False)
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", "another key")
    assert strongroom("keys", "recovery", "add", repo, "other", "--out", new).code == 8
    assert not new.exists()


def test_a_recovery_key_that_was_removed_opens_nothing(
    strongroom: Run, repo: Path, tmp_path: Path
) -> None:
    """Lost: the answer to a stolen safe."""
    safe = tmp_path / "safe"
    assert strongroom("keys", "recovery", "add", repo, "board", "--out", safe).code == 0
    assert strongroom("keys", "recovery", "remove", repo, "board").code == 0
    assert dumped(strongroom, repo, "--recovery-key-file", safe).code == 8
    assert strongroom("keys", "recovery", "remove", repo, "board").code == 5
    assert json.loads(strongroom("keys", "recovery", "list", repo, "--json").out) == []


@settings(max_examples=10, deadline=None)
@given(seed=st.binary(min_size=32, max_size=32), data=st.data())
def test_any_so_many_shares_make_the_key_and_fewer_do_not(seed: bytes, data: st.DataObject) -> None:
    """Lost: the key, although enough of its keepers came."""
    count = data.draw(st.integers(2, 5))
    threshold = data.draw(st.integers(2, count))
    key = write_key(RECOVERY_PREFIX, seed)
    texts = shares.split(key, count, threshold)
    for chosen in combinations(texts, threshold):
        assert combined(random.Random(0).sample(chosen, threshold)) == key
    with pytest.raises(Invalid, match="needed"):
        combined(texts[: threshold - 1] + texts[:1])


def test_a_mistyped_share_is_named() -> None:
    """Lost: hours over which of five sheets has the wrong word."""
    key = write_key(RECOVERY_PREFIX, bytes(range(32)))
    texts = shares.split(key, 3, 3)
    row = texts[1].split("\n")[-2]
    words = row.split()
    place = next(n for n in range(len(words)) if words[n] != words[n + 1])
    words[place : place + 2] = words[place + 1], words[place]
    mistyped = texts[1].replace(row, " ".join(words))
    with pytest.raises(Invalid, match="file-2"):
        combined([texts[0], mistyped, texts[2]])
    upper = [text.upper() if number else text for number, text in enumerate(texts)]
    assert combined([text.replace("# ", "#") for text in upper]) == key
    other = shares.split(key, 3, 3)
    with pytest.raises(Invalid, match="several"):
        combined([texts[0], other[1], other[2]])
    foreign = [text.replace(text.split("# key ")[1][:4], "0000") for text in texts]
    with pytest.raises(WrongKey):
        combined(foreign)
    with pytest.raises(Invalid):
        shares.split(key, 3, 1)


def test_a_file_that_is_no_share_is_named_and_not_shown(strongroom: Run, tmp_path: Path) -> None:
    """Lost: the encryption key, to whoever reads the terminal or the log of a job."""
    (words, *_) = shares.split(write_key(RECOVERY_PREFIX, bytes(range(32))), 3, 2)
    rows = words.rstrip("\n").split("\n")
    wrong = {
        "a key": ("first-secret", "line 1"),
        "a word": ("\n".join([*rows[:-1], f"first-secret {rows[-1]}"]), f"line {len(rows)}"),
        "a row": ("\n".join(rows[:-1]), ""),
        "swapped": ("\n".join([*rows[:-2], *rows[:-3:-1]]), ""),
    }
    for name, (content, place) in wrong.items():
        (tmp_path / name).write_text(content)
        refused = strongroom("keys", "combine", tmp_path / name)
        assert (refused.code, str(tmp_path / name) in refused.err) == (2, True)
        assert place in refused.err
        assert not {"first-secret", *rows[-1].split(), *rows[-2].split()} & {
            word.strip(".,:;'\"") for word in refused.err.split()
        }


def test_shares_are_those_of_the_standard() -> None:
    """Lost: the key, should this program be gone when it is needed."""
    first = """
        humidity disease academic always aluminum jewelry energy woman receiver strategy amuse
        duckling lying evidence network walnut tactics forget hairy rebound impulse brother
        survive clothes stadium mailman rival ocean reward venture always armed unwrap
    """
    second = """
        humidity disease academic agency actress jacket gross physics cylinder solution fake
        mortgage benefit public busy prepare sharp friar change work slow purchase ruler again
        tricycle involve viral wireless mixture anatomy desert cargo upgrade
    """
    secret = "c938b319067687e990e05e0da0ecce1278f75ff58d9853f19dcaeed5de104aae"
    assert combine_mnemonics([first, second], b"TREZOR").hex() == secret
    assert combined([f"# anything\n{text}" for text in (first, second)]).startswith("srk1-")
