"""Hashing in threads of its own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar, TypeVarTuple, Unpack

from common.crypto.passwords import Argon2, Passwords
from gateway.limits.domain import RateLimited

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# Hashing takes a processor for a third of a second: more at once would starve everything else.
THREADS = 2
ARGON2ID = "argon2id"
LONGEST_QUEUE = 64


class HashingSettings(Protocol):
    """What hashing needs to know."""

    @property
    def security_password_scheme(self) -> str: ...
    @property
    def security_bcrypt_rounds(self) -> int: ...
    @property
    def security_argon2_memory_kib(self) -> int: ...
    @property
    def security_argon2_passes(self) -> int: ...


class Hashing:
    """Hashes and compares passwords, a few at a time."""

    def __init__(self, settings: HashingSettings) -> None:
        argon2 = None
        if settings.security_password_scheme == ARGON2ID:
            argon2 = Argon2(settings.security_argon2_memory_kib, settings.security_argon2_passes)
        self._passwords = Passwords(settings.security_bcrypt_rounds, argon2)
        self._threads = ThreadPoolExecutor(THREADS, "passwords")
        self._waiting = 0

    def close(self) -> None:
        """Take no more passwords; what is being hashed ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """What to store for this password."""
        return await self.in_thread(self._passwords.hash, password)

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether it is the password behind ``stored``; no user (None) takes as long."""
        return await self.in_thread(self._passwords.verify, password, stored)

    def outdated(self, stored: str) -> bool:
        """Whether ``stored`` was made in another way and should be made anew."""
        return self._passwords.outdated(stored)

    async def in_thread(self, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        """Do slow work about passwords.

        Raises:
            RateLimited: too much of it waits already.
        """
        if self._waiting >= LONGEST_QUEUE:
            raise RateLimited(5)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)
        finally:
            self._waiting -= 1
