import time

import pytest

from common.crypto.passwords import LONGEST, Argon2, Passwords

CHEAP = Passwords(rounds=4)


def nobody_to_somebody(passwords: Passwords) -> float:
    """How many times as long a wrong password takes where there is no user of that name.

    In processor time, each the quickest of several that take turns: a machine that is slower for
    a while is so for both.
    """
    times: dict[str | None, list[float]] = {None: [], passwords.hash("right"): []}
    for _ in range(9):
        for against, taken in times.items():
            begin = time.process_time()
            passwords.verify("wrong", against)
            taken.append(time.process_time() - begin)
    nobody, somebody = map(min, times.values())
    return nobody / somebody


@pytest.mark.parametrize(
    "password",
    ["", "correct horse", "ż" * 80, "a\0b", "x" * LONGEST, "\ud800"],
    ids=["empty", "prose", "long-utf8", "nul", "longest", "lone-surrogate"],
)
def test_a_password_matches_its_hash_and_no_other(password: str) -> None:
    """Otherwise a user is locked out, or another password is let in."""
    stored = CHEAP.hash(password)
    assert CHEAP.verify(password, stored)
    assert not CHEAP.verify(password + "x", stored)


@pytest.mark.parametrize("tail", ["y", "\0", "\0y"])
def test_bytes_beyond_72_and_after_nul_count(tail: str) -> None:
    """Otherwise a guess of the first part of a password is enough."""
    assert not CHEAP.verify("x" * 72 + tail, CHEAP.hash("x" * 72))


def test_the_same_password_is_stored_differently_each_time() -> None:
    """Otherwise two users with one password are seen in the database."""
    assert CHEAP.hash("same") != CHEAP.hash("same")


def test_nobody_has_no_password() -> None:
    """Otherwise somebody logs in as a user that does not exist."""
    assert not CHEAP.verify("", None)


def test_too_long_a_password_is_refused_at_once() -> None:
    """Otherwise a megabyte of password buys processor time."""
    assert not CHEAP.verify("x" * (LONGEST + 1), CHEAP.hash("x"))


def test_an_unknown_user_takes_as_long_as_a_wrong_password() -> None:
    """Otherwise the time of a refusal tells which users exist."""
    assert 0.5 < nobody_to_somebody(Passwords(rounds=10)) < 2


def test_a_hash_of_another_cost_is_outdated() -> None:
    """Otherwise raising the cost never reaches those who already have a password."""
    assert Passwords(rounds=5).outdated(CHEAP.hash("x"))
    assert not CHEAP.outdated(CHEAP.hash("x"))


ARGON2 = Passwords(rounds=4, argon2=Argon2(memory_kib=4096, passes=1))


@pytest.mark.parametrize("password", ["", "ż" * 80, "a\0b", "x" * LONGEST, "\ud800"])
def test_argon2id_can_be_chosen(password: str) -> None:
    """Otherwise the setting does nothing, or locks everybody out."""
    stored = ARGON2.hash(password)
    assert stored.startswith("$argon2id$v=19$m=4096,t=1,p=1$")
    assert ARGON2.verify(password, stored)
    assert not ARGON2.verify(password + "x", stored)
    assert not ARGON2.verify("", None)
    assert not ARGON2.verify("x", "$argon2id$broken")


def test_a_hash_of_the_other_scheme_opens_and_is_outdated() -> None:
    """Otherwise choosing the other scheme locks out everybody who has a password."""
    old, new = CHEAP.hash("x"), ARGON2.hash("x")
    assert ARGON2.verify("x", old)
    assert CHEAP.verify("x", new)
    assert ARGON2.outdated(old)
    assert CHEAP.outdated(new)
    assert not ARGON2.outdated(new)
    assert Passwords(4, Argon2(memory_kib=4096, passes=2)).outdated(new)


def test_an_unknown_user_takes_as_long_under_argon2id() -> None:
    """Otherwise the time of a refusal tells which users exist."""
    passwords = Passwords(argon2=Argon2(memory_kib=19 * 1024))
    assert 0.5 < nobody_to_somebody(passwords) < 2
