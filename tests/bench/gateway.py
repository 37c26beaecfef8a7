"""What authentication, permission and rate limit add to a request, beside a bare FastAPI route.

Both are served in this process by the same server over loopback, and asked in turn by one client on
one connection, so that both carry the same noise. Then what a login costs:

    cd tests && ../.venv/bin/python -m bench.gateway --document ../docs/performance.md
"""

import argparse
import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI

from bench import logins
from common.health import serving
from common.observability import configure_logging
from gateway.identity.local import begin_local_session
from integration.gateway.site import Site, running
from standalone.postgres import Cluster

BLOCK = 50
MOST_ADDED_MS = 2
BEGIN, END = "<!-- gateway: begin -->", "<!-- gateway: end -->"
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


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    median_ms: float
    p99_ms: float
    per_second: float

    @classmethod
    def of(cls, name: str, times: list[float], seconds: float) -> "Row":
        """What these times come to."""
        ordered = sorted(times)
        median, p99 = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
        return cls(name, median * 1000, p99 * 1000, len(ordered) / seconds)

    def line(self) -> str:
        """As Markdown."""
        times = f"{self.median_ms:.2f} ms | {self.p99_ms:.2f} ms"
        return f"| {self.name} | {times} | {self.per_second:.{0 if self.per_second > 20 else 1}f} |"


async def answer() -> dict[str, object]:
    """What the bare route says."""
    return dict(ANSWER)


async def measure(site: Site, requests: int, clients: int) -> list[Row]:
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
        names = ("bare FastAPI route", "authenticated read")
        return [
            Row.of(f"{name}, {clients} at once", found, sum(found) / clients)
            for name, found in zip(names, times, strict=True)
        ]


async def compare(requests: int, count: int) -> list[Row]:
    """Everything, on a database of its own."""
    folder = Path(tempfile.mkdtemp(prefix="strongroom-bench-"))
    folder.chmod(0o711)
    cluster = Cluster(folder / "home", shelter=folder / "shelter", create_account=False)
    limits = {"security_max_requests_per_minute": 10**9, "security_max_requests_per_hour": 10**9}
    try:
        cluster.start()
        cluster.create_database("bench")
        url = cluster.url("gateway", "bench")
        async with running(url, **limits) as site:
            found = await measure(site, requests, clients=1)
            found += await measure(site, requests // 8, clients=8)
        return found + [Row.of(*row) for row in await logins.measure(url, limits, count)]
    finally:
        cluster.destroy()
        shutil.rmtree(folder, ignore_errors=True)


def added(rows: list[Row]) -> float:
    """Milliseconds that the gateway adds at the median, one request at a time."""
    return rows[1].median_ms - rows[0].median_ms


def table(rows: list[Row]) -> str:
    """What stands between the marks of the document."""
    lines = ["| | median | 99th percentile | a second |", "|---|---|---|---|"]
    lines += [row.line() for row in rows]
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    said = (
        f"Authentication, permission and rate limit add **{added(rows):.2f} ms** at the median (at"
        f" most {MOST_ADDED_MS} are allowed). Measured on {os.cpu_count()} processors that client,"
        f" server and database shared; load averages {load}."
    )
    return "\n".join([*lines, "", said])


def renew(document: Path, part: str) -> None:
    """Put the table between its marks, and leave everything else alone."""
    before, begin, rest = document.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{document} has no marks {BEGIN} and {END}.")
    document.write_text(f"{before}{begin}\n{part}\n{end}{after}")


def main() -> None:
    """Run from the command line; the exit code says whether the gateway adds too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--logins", type=int, default=24)
    parser.add_argument("--document", type=Path, help="Markdown with the marks of the table")
    arguments = parser.parse_args()
    configure_logging("WARNING")
    rows = asyncio.run(compare(arguments.requests, arguments.logins))
    print(table(rows))  # noqa: T201
    if arguments.document:
        renew(arguments.document, table(rows))
    sys.exit(int(added(rows) > MOST_ADDED_MS))


if __name__ == "__main__":
    main()
