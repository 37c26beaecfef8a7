"""Codes that change with time (RFC 6238)."""

import hmac
import re
from datetime import datetime

import pyotp

STEP = 30
WINDOW = 1
"""Steps before and after now that count: clocks differ, and people type slowly."""


def new_secret() -> str:
    """A secret of 160 bits, as authenticators take it."""
    return pyotp.random_base32()


def uri_of(secret: str, user_name: str) -> str:
    """What an authenticator reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=user_name, issuer_name="Strongroom")


def step_of(secret: str, code: str, now: datetime, after: int) -> int | None:
    """The time step of a right code that is later than ``after``; None for every other code."""
    current = int(now.timestamp()) // STEP
    given = re.sub(r"\s", "", code).encode("utf-8", "replace")
    generator = pyotp.HOTP(secret)
    steps = range(current - WINDOW, current + WINDOW + 1)
    right = [step for step in steps if hmac.compare_digest(generator.at(step).encode(), given)]
    return next((step for step in right if step > after), None)
