"""What authentication, permission and rate limit add to a request, beside a bare FastAPI route.

Both are served in this process by the same server over loopback, and asked in turn by one client on
one connection, so that both carry the same noise:

    cd tests && ../.venv/bin/python -m bench.gateway
"""

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI

from common.health import serving
from common.observability import configure_logging
from gateway.identity.local import begin_local_session
from integration.gateway.site import Site, running
from standalone.postgres import Cluster

BLOCK = 50
MOST_ADDED = 0.002
ANSWER = {"user_id": "019ab0c4-7d1e-7c3a-9b57-6a1f0f3c2d11", "name": "admin", "permissions": []}


@dataclass(frozen=True)
class Connection:
    """One kept-alive connection, which sends the same request again and again."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    request: bytes

    async def ask(self) -> float:
        """Seconds from the request to the end of its answer."""
        begin = time.perf_counter()
        self.writer.write(self.request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head[:16]:
            raise SystemExit(head.decode())
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await self.reader.readexactly(length)
        return time.perf_counter() - begin


async def connect(port: int, path: str, token: str = "") -> Connection:
    """A connection to the server at this port."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    return Connection(reader, writer, "\r\n".join([*lines, "", ""]).encode())


async def alternate(pairs: list[list[Connection]], requests: int) -> list[list[float]]:
    """The times of each group of connections, asked in blocks that take turns."""
    times: list[list[float]] = [[] for _ in pairs]
    for _ in range(requests // BLOCK):
        for found, connections in zip(times, pairs, strict=True):

            async def block(connection: Connection, found: list[float] = found) -> None:
                found.extend([await connection.ask() for _ in range(BLOCK)])

            await asyncio.gather(*(block(connection) for connection in connections))
    return times


def told(times: list[float], seconds: float, name: str) -> dict[str, float | str]:
    """The numbers of one of the two."""
    ordered = sorted(times)
    return {
        "name": name,
        "median_ms": round(statistics.median(ordered) * 1000, 3),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1000, 3),
        "requests_per_second": round(len(ordered) / seconds),
    }


async def answer() -> dict[str, object]:
    """What the bare route says."""
    return dict(ANSWER)


async def measure(site: Site, requests: int, clients: int) -> list[dict[str, float | str]]:
    """Ask both, with so many clients at once."""
    bare = FastAPI()
    bare.add_api_route("/me", answer)
    token = await begin_local_session(site.runtime)
    gateway_port = urlsplit(site.url).port or 0
    async with serving(bare, "127.0.0.1", 0) as bare_port:
        groups = [
            [await connect(bare_port, "/me") for _ in range(clients)],
            [await connect(gateway_port, "/api/auth/me", token) for _ in range(clients)],
        ]
        await alternate(groups, 2 * BLOCK)
        times = await alternate(groups, requests)
        names = ("bare route", "gateway")
        return [
            told(found, sum(found) / clients, f"{name}, {clients} at once")
            for name, found in zip(names, times, strict=True)
        ]


async def compare(requests: int) -> int:
    """Print the numbers; 1 if the gateway adds more than it may."""
    folder = Path(tempfile.mkdtemp(prefix="strongroom-bench-"))
    folder.chmod(0o711)
    cluster = Cluster(folder / "home", shelter=folder / "shelter", create_account=False)
    limits = {"security_max_requests_per_minute": 10**9, "security_max_requests_per_hour": 10**9}
    try:
        cluster.start()
        cluster.create_database("bench")
        async with running(cluster.url("gateway", "bench"), **limits) as site:
            found = [
                *await measure(site, requests, clients=1),
                *await measure(site, requests // 8, clients=8),
            ]
    finally:
        cluster.destroy()
        shutil.rmtree(folder, ignore_errors=True)
    added = (float(found[1]["median_ms"]) - float(found[0]["median_ms"])) / 1000
    print(json.dumps({"measured": found, "added_at_the_median_ms": round(added * 1000, 3)}))  # noqa: T201
    return int(added > MOST_ADDED)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000)
    arguments = parser.parse_args()
    configure_logging("WARNING")
    sys.exit(asyncio.run(compare(arguments.requests)))


if __name__ == "__main__":
    main()
