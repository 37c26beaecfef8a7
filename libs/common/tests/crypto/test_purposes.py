"""Tokens under keys of their own for each purpose."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.crypto.purposes import NotOpened, PurposeKeys

OLD, NEW, SALT = "o" * 32, "n" * 32, "s" * 16
KEYS = PurposeKeys([NEW], SALT)


@settings(max_examples=30)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.text(max_size=20))
def test_what_was_sealed_opens(text: str, purpose: str) -> None:
    """Otherwise data is lost."""
    purpose = purpose.encode("utf-8", "replace").decode()
    opened = KEYS.open(purpose, KEYS.seal(purpose, text))
    assert (opened.text, opened.outdated) == (text, False)


def test_a_token_opens_for_its_purpose_alone() -> None:
    """Otherwise the API decrypts what the gateway keeps for itself."""
    with pytest.raises(NotOpened):
        KEYS.open("api:x", KEYS.seal("internal:x", "secret"))


@pytest.mark.parametrize("token", ["", "x", "ż", "gAAAA", "\ud800"])
def test_what_is_no_token_is_refused(token: str) -> None:
    """Otherwise anything at all is an error 500."""
    with pytest.raises(NotOpened):
        KEYS.open("x", token)


def test_a_rotation_leaves_old_tokens_readable_and_says_so() -> None:
    """Otherwise a rotation loses data, or the old key can never go."""
    token = PurposeKeys([OLD], SALT).seal("x", "text")
    opened = PurposeKeys([NEW, OLD], SALT).open("x", token)
    assert (opened.text, opened.outdated) == ("text", True)
    with pytest.raises(NotOpened):
        KEYS.open("x", token)
    with pytest.raises(NotOpened):
        PurposeKeys([OLD], "t" * 16).open("x", token)
