"""Passwords from breaches: the package's list, and an operator's file of hashes."""

import hashlib
from pathlib import Path

import pytest

from common.errors import Invalid, Unavailable
from gateway.passwords.breached import HashFile, listed
from gateway.passwords.domain import BREACHED, assess
from gateway.passwords.history import Judge, policy_of
from gateway.policy import PasswordSettings

KNOWN = "Speeddemon123!"


def line(password: str) -> str:
    return hashlib.sha1(password.encode()).hexdigest().upper()


def written(folder: Path, passwords: list[str], end: str = ":7\r\n") -> HashFile:
    path = folder / "hashes.txt"
    path.write_bytes("".join(sorted(line(each) + end for each in passwords)).encode())
    return HashFile(path)


def test_what_passes_every_rule_is_refused_when_it_has_leaked() -> None:
    """Otherwise the first guess of everybody who has the list is right."""
    settings = PasswordSettings()
    assert assess(KNOWN, policy_of(settings)).valid
    assert Judge(settings).assess(KNOWN).errors == [BREACHED]
    assert Judge(settings).assess("Wrong-lamp-battery-31").valid
    assert listed("CorrectHorseBatteryStaple")
    assert not listed("\ud800" * 12)


@pytest.mark.parametrize("end", [":7\r\n", ":12345\n", "\n"])
def test_every_hash_of_a_file_is_found_and_no_other(tmp_path: Path, end: str) -> None:
    """Otherwise a search by halves misses some, or refuses everything."""
    passwords = [f"p{n}" for n in range(200)]
    for count in (1, 2, 199, 200):
        file = written(tmp_path, passwords[:count], end)
        file.check()
        assert all(each in file for each in passwords[:count])
        assert not any(f"q{n}" in file for n in range(100))


def test_an_operators_file_counts(tmp_path: Path) -> None:
    """Otherwise the setting is read and ignored."""
    file = written(tmp_path, ["Wrong-lamp-battery-31"])
    judge = Judge(PasswordSettings(security_breached_passwords_file=file._path))
    assert judge.assess("Wrong-lamp-battery-31").errors == [BREACHED]
    file._path.unlink()
    with pytest.raises(Unavailable):
        judge.assess("Wrong-lamp-battery-32")


@pytest.mark.parametrize(
    "content", ["", "\n", "not hashes\n", "F" * 40 + "\n" + "0" * 40 + "\n", "0" * 32 + ":1\n"]
)
def test_a_file_that_is_no_such_list_stops_the_start(tmp_path: Path, content: str) -> None:
    """Otherwise an operator believes in a list that refuses nothing."""
    path = tmp_path / "list.txt"
    path.write_text(content)
    for each in (path, tmp_path / "missing.txt"):
        with pytest.raises(Invalid, match="SECURITY_BREACHED_PASSWORDS_FILE"):
            Judge(PasswordSettings(security_breached_passwords_file=each))
