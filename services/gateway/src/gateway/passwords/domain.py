"""The password policy: a decision without I/O.

Guessing is judged by zxcvbn, on the first characters alone: its time grows faster than its input.
"""

import re
from dataclasses import dataclass, field
from functools import cache

from zxcvbn import zxcvbn
from zxcvbn.frequency_lists import FREQUENCY_LISTS

JUDGED = 64
"""Characters that are looked at for guessing; a password that is good so far is good."""
COMMONEST = 100
COMMON_LETTERS = 6
FULL_MARKS = 14
"""A password that takes 10^14 guesses has 100 points."""
FAIR = 3
"""The score of zxcvbn below which a password is refused."""
SHORTEST_NAME = 3

TOO_SHORT = "Password too short"
TOO_LONG = "Password too long"
NO_UPPERCASE = "Password must contain an uppercase letter"
NO_LOWERCASE = "Password must contain a lowercase letter"
NO_DIGIT = "Password must contain a digit"
NO_SPECIAL = "Password must contain a special character"
TOO_COMMON = "Password is too common"
TOO_WEAK = "Password too weak"
BREACHED = "Password is known from a breach"
HAS_NAME = "Password contains the user name"
USED_BEFORE = "Password was used before"
COUNTED_ONCE = "A common password inside counts as one character"

_LEET = str.maketrans("013457@$!", "oleastasi")


@dataclass(frozen=True, slots=True)
class Policy:
    """What a password has to have; ``history`` is how many former ones are refused."""

    min_length: int = 12
    max_bytes: int = 1024
    uppercase: bool = True
    lowercase: bool = True
    digits: bool = True
    special: bool = True
    history: int = 5


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is wrong with a password, what could be better, and its strength of 0 to 100."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    strength_score: int = 0

    @property
    def valid(self) -> bool:
        """Whether the password may be used."""
        return not self.errors


def assess(password: str, policy: Policy, user_name: str = "") -> Assessment:
    """Judge a new password of this user."""
    if len(password.encode("utf-8", "surrogatepass")) > policy.max_bytes:
        return Assessment([TOO_LONG])
    judged = password[:JUDGED]
    found = zxcvbn(judged or " ", user_inputs=[user_name] if user_name else [])
    errors = [*_lacking(password, policy)]
    warnings = []
    if _counted_length(password) < policy.min_length:
        errors.insert(0, TOO_SHORT)
        if len(password) >= policy.min_length:
            warnings.append(COUNTED_ONCE)
    if _is_common(password):
        errors.append(TOO_COMMON)
    if _has_name(password, user_name):
        errors.append(HAS_NAME)
    if found["score"] < FAIR and len(password) <= JUDGED:
        errors.append(TOO_WEAK)
    if hint := found["feedback"]["warning"]:
        warnings.append(hint.rstrip("."))
    elif found["score"] == FAIR:
        warnings.append("Password could be stronger")
    points = min(100, int(float(found["guesses_log10"]) * 100 / FULL_MARKS))
    return Assessment(errors, warnings, points if password else 0)


def _lacking(password: str, policy: Policy) -> list[str]:
    wanted = (
        (policy.uppercase, any(c.isupper() for c in password), NO_UPPERCASE),
        (policy.lowercase, any(c.islower() for c in password), NO_LOWERCASE),
        (policy.digits, any(c.isdigit() for c in password), NO_DIGIT),
        (policy.special, any(not c.isalnum() for c in password), NO_SPECIAL),
    )
    return [error for asked, there, error in wanted if asked and not there]


def _counted_length(password: str) -> int:
    """Its length, where each of the commonest passwords inside counts as one character."""
    return len(_commonest().sub("*", password))


@cache
def _commonest() -> re.Pattern[str]:
    ranked = FREQUENCY_LISTS["passwords"][:COMMONEST]
    words = [word for word in ranked if word.isalpha() and len(word) >= COMMON_LETTERS]
    words.sort(key=len, reverse=True)
    return re.compile("|".join(words), re.IGNORECASE)


@cache
def _common() -> frozenset[str]:
    words = {word for list_ in FREQUENCY_LISTS.values() for word in list_}
    return frozenset(words)


def _is_common(password: str) -> bool:
    """Whether it is a listed word, as it stands or behind usual disguises."""
    plain = password.casefold()
    shorn = plain.strip("0123456789!@#$%^&*()-_=+.,?/ ")
    variants = (plain, shorn, plain.translate(_LEET), shorn.translate(_LEET))
    return any(variant in _common() for variant in variants)


def _has_name(password: str, user_name: str) -> bool:
    parts = {user_name, *re.split(r"[\s@._-]+", user_name)}
    plain = password.casefold()
    return any(len(part) >= SHORTEST_NAME and part.casefold() in plain for part in parts)
