"""Secrets in a database: sealed under the newest key, opened under any, bound to their place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.crypto.keychain import Keychain, key_id
from common.crypto.stretching import FEWEST_ITERATIONS
from common.errors import Corrupt, Invalid, WrongKey

SALT = bytes(32)


def chain(*texts: str) -> Keychain:
    return Keychain(texts, SALT, FEWEST_ITERATIONS)


OLD, BOTH, NEW = chain("old"), chain("new", "old"), chain("new")


@given(st.text(max_size=50), st.text(max_size=20))
def test_what_was_sealed_opens_with_its_context(secret: str, context: str) -> None:
    """Lost: the tokens themselves."""
    sealed = BOTH.seal(secret, context)
    assert NEW.open(sealed, context) == secret
    assert key_id(sealed) == NEW.newest


def test_older_keys_open_and_do_not_seal() -> None:
    """Lost: every token, at the first rotation."""
    sealed = OLD.seal("token", "row 1")
    assert BOTH.open(sealed, "row 1") == "token"
    assert BOTH.newest == NEW.newest
    assert BOTH.ids == [*NEW.ids, *OLD.ids]
    with pytest.raises(WrongKey, match=OLD.newest):
        NEW.open(sealed, "row 1")


def test_a_secret_does_not_open_in_another_place() -> None:
    """Lost: the wall between two rows, for who can write the table."""
    with pytest.raises(Corrupt):
        NEW.open(NEW.seal("token", "row 1"), "row 2")


@pytest.mark.parametrize("index", [0, 12, -1])
def test_a_changed_secret_does_not_open(index: int) -> None:
    """Lost: knowing that what is opened is what was sealed."""
    sealed = bytearray(NEW.seal("token", "row"))
    sealed[index] ^= 1
    with pytest.raises(Corrupt):
        NEW.open(bytes(sealed), "row")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" * 9, b"\x02" * 60])
def test_what_is_no_sealed_secret_is_said_so(sealed: bytes) -> None:
    """Lost: a sentence instead of a stack trace."""
    with pytest.raises((Corrupt, WrongKey)):
        NEW.open(sealed, "row")


def test_another_salt_makes_other_keys() -> None:
    """Lost: the salt's purpose, one table of guesses for all installations."""
    assert Keychain(["new"], b"\x01" * 32, FEWEST_ITERATIONS).newest != NEW.newest
    with pytest.raises(Invalid):
        chain()
