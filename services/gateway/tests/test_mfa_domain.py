"""Time-based codes and recovery codes."""

from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mfa.domain import STEP, new_secret, step_of, uri_of
from gateway.recovery.domain import RECOVERY_CODES, new_recovery_codes, plain

# RFC 6238, appendix B, of which six digits are shown here.
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
VECTORS = [(59, "287082"), (1111111109, "081804"), (2000000000, "279037")]


@pytest.mark.parametrize(("seconds", "code"), VECTORS)
def test_the_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    """Otherwise no authenticator works."""
    at = datetime.fromtimestamp(seconds, UTC)
    assert step_of(SECRET, code, at, 0) == seconds // STEP
    assert step_of(SECRET, f" {code[:3]} {code[3:]} ", at, 0) == seconds // STEP


def test_a_code_counts_a_step_around_its_time_and_once() -> None:
    """Otherwise clocks have to agree to the second, or a code is good for long, or twice."""
    seconds, code = VECTORS[1]
    at, step = datetime.fromtimestamp(seconds, UTC), seconds // STEP
    for steps, counts in ((-2, False), (-1, True), (0, True), (1, True), (2, False)):
        found = step_of(SECRET, code, at + timedelta(seconds=STEP * steps), 0)
        assert (found == step) is counts
    assert step_of(SECRET, code, at, step) is None
    assert step_of(SECRET, code, at, step - 1) == step


@given(st.text())
def test_no_text_is_an_error(text: str) -> None:
    """Otherwise what somebody types ends in a server error."""
    at = datetime.fromtimestamp(VECTORS[0][0], UTC)
    steps = range(VECTORS[0][0] // STEP - 1, VECTORS[0][0] // STEP + 2)
    right = {pyotp.HOTP(SECRET).at(step) for step in steps}
    assert (step_of(SECRET, text, at, -1) is None) or "".join(text.split()) in right


def test_recovery_codes_are_compared_however_they_are_typed() -> None:
    """Otherwise a code that was printed does not work when it is needed."""
    codes = new_recovery_codes()
    assert len(set(codes)) == RECOVERY_CODES
    for code in codes:
        assert plain(code.upper().replace("-", " ")) == plain(code)
        assert len(plain(code)) == 16


def test_an_authenticator_is_told_whose_the_secret_is() -> None:
    """Otherwise nobody knows which of ten codes to type."""
    secret = new_secret()
    assert len(secret) == 32
    uri = uri_of(secret, "a&b ada")
    assert uri.startswith("otpauth://totp/Strongroom:a%26b%20ada?")
    assert secret in uri
