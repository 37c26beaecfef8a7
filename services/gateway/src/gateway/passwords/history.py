"""New passwords: judged by the policy, against breaches and against those before them."""

from pathlib import Path
from typing import Any, Protocol

from common.crypto.passwords import LONGEST
from common.db import Connection
from common.errors import Invalid
from gateway.passwords import store
from gateway.passwords.breached import HashFile, listed
from gateway.passwords.domain import (
    BREACHED,
    TOO_LONG,
    USED_BEFORE,
    Assessment,
    Policy,
    assess,
)
from gateway.passwords.hashing import Hashing


class PolicySettings(Protocol):
    """The documented password policy."""

    @property
    def security_min_password_length(self) -> int: ...
    @property
    def security_require_uppercase(self) -> bool: ...
    @property
    def security_require_lowercase(self) -> bool: ...
    @property
    def security_require_digits(self) -> bool: ...
    @property
    def security_require_special(self) -> bool: ...
    @property
    def security_password_history(self) -> int: ...
    @property
    def security_breached_passwords_file(self) -> Path | None: ...


class PasswordRefused(Invalid):
    """Password validation failed."""

    def __init__(self, assessment: Assessment) -> None:
        super().__init__()
        problems = [{"field": "password", "reason": error} for error in assessment.errors]
        self.details: dict[str, Any] = {
            **problems[0],
            "errors": problems,
            "strength_score": assessment.strength_score,
        }


def policy_of(settings: PolicySettings) -> Policy:
    """The policy that is configured."""
    return Policy(
        min_length=settings.security_min_password_length,
        max_bytes=LONGEST,
        uppercase=settings.security_require_uppercase,
        lowercase=settings.security_require_lowercase,
        digits=settings.security_require_digits,
        special=settings.security_require_special,
        history=settings.security_password_history,
    )


class Judge:
    """What is wrong with a password, whoever wants to take it. Slow, and reads files.

    Raises:
        Invalid: the operator's file of breached passwords is none.
    """

    def __init__(self, settings: PolicySettings) -> None:
        self.policy = policy_of(settings)
        path = settings.security_breached_passwords_file
        self._file = HashFile(path) if path else None
        if self._file is not None:
            self._file.check()

    def assess(self, password: str, user_name: str = "") -> Assessment:
        """Judge a password by the policy and against known breaches.

        Raises:
            Unavailable: the operator's file cannot be read any more.
        """
        found = assess(password, self.policy, user_name)
        if TOO_LONG in found.errors:
            return found
        if self.leaked(password):
            found.errors.append(BREACHED)
        return found

    def leaked(self, password: str) -> bool:
        """Whether the password is known from a breach.

        Raises:
            Unavailable: the operator's file cannot be read any more.
        """
        return listed(password) or (self._file is not None and password in self._file)


class NewPasswords:
    """Which password a user may take."""

    def __init__(self, settings: PolicySettings, hashing: Hashing) -> None:
        self.judge = Judge(settings)
        self.policy = self.judge.policy
        self._hashing = hashing

    async def assess(self, password: str, user_name: str = "") -> Assessment:
        """Judge a password, without those before it."""
        return await self._hashing.in_thread(self.judge.assess, password, user_name)

    async def check_new_password(
        self, connection: Connection, user_id: str, user_name: str, password: str
    ) -> None:
        """Refuse a password that is not good enough for this user; ``user_id`` may be unknown yet.

        Raises:
            PasswordRefused: with every reason.
        """
        found = await self.assess(password, user_name)
        if await self._was_used(connection, user_id, password):
            found.errors.append(USED_BEFORE)
        if not found.valid:
            raise PasswordRefused(found)

    async def _was_used(self, connection: Connection, user_id: str, password: str) -> bool:
        if not self.policy.history:
            return False
        for stored in await store.former(connection, user_id, self.policy.history):
            if await self._hashing.verify(password, stored):
                return True
        return False

    async def remember(self, connection: Connection, user_id: str, stored: str) -> None:
        """Remember the hash of a password that the user has taken."""
        await store.remember(connection, user_id, stored, self.policy.history)
