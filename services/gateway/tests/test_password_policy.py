"""The password policy, with the words of the documents."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.passwords import domain
from gateway.passwords.domain import Policy, assess

POLICY = Policy()


def test_the_documented_examples() -> None:
    """Otherwise an application that follows the document gets other answers."""
    good = assess("MySecurePassword123!", POLICY)
    assert good == domain.Assessment([], [], 85)
    weak = assess("WeakPassword", POLICY)
    assert not weak.valid
    assert domain.TOO_SHORT in weak.errors
    assert domain.COUNTED_ONCE in weak.warnings


@pytest.mark.parametrize(
    ("password", "error"),
    [
        ("", domain.TOO_SHORT),
        ("Xk9$mQ2vLp7", domain.TOO_SHORT),
        ("xk9$mq2vlp7#wz", domain.NO_UPPERCASE),
        ("XK9$MQ2VLP7#WZ", domain.NO_LOWERCASE),
        ("Xkn$mQbvLpt#wZ", domain.NO_DIGIT),
        ("Xk9amQ2vLp7bwZ", domain.NO_SPECIAL),
        ("P@ssw0rd1234!", domain.TOO_COMMON),
        ("Unbelievable1!", domain.TOO_COMMON),
        ("aA1!aA1!aA1!aA1!", domain.TOO_WEAK),
        ("J.Kowalska-9$mQ2vLp7", domain.HAS_NAME),
        ("x" * 1025, domain.TOO_LONG),
    ],
)
def test_each_rule_refuses(password: str, error: str) -> None:
    """Otherwise a rule is written down and not kept."""
    assert error in assess(password, POLICY, "j.kowalska").errors


def test_rules_can_be_turned_off() -> None:
    """Otherwise the settings do nothing."""
    loose = Policy(min_length=4, uppercase=False, lowercase=False, digits=False, special=False)
    assert assess("zxkq vmwp", loose).valid
    assert domain.TOO_SHORT in assess("zxk", loose).errors


def test_other_scripts_make_good_passwords() -> None:
    """Otherwise only those who write in English may log in."""
    assert assess("Zażółć-gęślą-Jaźń-7", POLICY).valid


@given(st.text(max_size=80), st.text(max_size=30))
def test_no_password_makes_the_policy_fail(password: str, name: str) -> None:
    """Otherwise a strange password is an error 500."""
    assert 0 <= assess(password, POLICY, name).strength_score <= 100


def test_a_long_password_takes_no_longer_than_a_short_one() -> None:
    """Otherwise judging a password keeps a processor busy."""
    begin = time.process_time()
    assess("aA1!" * 256, POLICY)
    assert time.process_time() - begin < 5
