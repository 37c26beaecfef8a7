"""What a login costs with the hash parameters that are chosen: latency alone, and throughput."""

import asyncio
import time
from typing import Any

import httpx

from integration.gateway.site import PASSWORD, running

SCHEMES: dict[str, dict[str, Any]] = {
    "bcrypt_sha256, 12 rounds": {"security_bcrypt_rounds": 12},
    "argon2id, 19 MiB, 2 passes": {"security_password_scheme": "argon2id"},
}
CLIENTS = 8
CREDENTIAL = {"username": "admin", "password": PASSWORD}


async def log_in(client: httpx.AsyncClient) -> float:
    """Seconds that one login takes."""
    begin = time.perf_counter()
    answer = await client.post("/api/auth/login", json=CREDENTIAL)
    answer.raise_for_status()
    return time.perf_counter() - begin


async def several(client: httpx.AsyncClient, count: int, at_once: int) -> tuple[list[float], float]:
    """The times of so many logins, and how long all of them took."""
    begin, times = time.perf_counter(), list[float]()

    async def row() -> None:
        for _ in range(count // at_once):
            times.append(await log_in(client))

    await asyncio.gather(*(row() for _ in range(at_once)))
    return times, time.perf_counter() - begin


async def measure(
    database_url: str, limits: dict[str, int], count: int
) -> list[tuple[str, list[float], float]]:
    """The name, the times and the seconds of each row of logins."""
    found = []
    for name, chosen in SCHEMES.items():
        async with running(database_url, **limits, **chosen) as site:
            client = site.anonymous()
            await log_in(client)  # the hash is renewed if it is of the other scheme
            for at_once in (1, CLIENTS):
                times, seconds = await several(client, count, at_once)
                found.append((f"login by {name}, {at_once} at once", times, seconds))
    return found
