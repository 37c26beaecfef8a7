"""The event stream over a real connection."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from common.messages import JobProgressed, uuid7
from gateway.stream import response
from integration.gateway.site import Site, completed, running


class Stream:
    """What came over an open stream."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()

    async def line(self, start: str) -> str:
        """The next line that begins so; an end of the stream fails."""
        async with asyncio.timeout(60):
            async for line in self._lines:
                if line.startswith(start):
                    return line.removeprefix(start).strip()
        raise EOFError

    async def event(self) -> tuple[str, Any]:
        """The next event's name and data."""
        return await self.line("event:"), json.loads(await self.line("data:"))


@asynccontextmanager
async def following(client: httpx.AsyncClient, **params: str) -> AsyncIterator[Stream]:
    async with client.stream("GET", "/api/events/stream", params=params) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["content-security-policy"] == "default-src 'self'"
        stream = Stream(answer)
        assert await stream.line(":") == "connected"
        yield stream


def progress(operation_id: str, done: int) -> JobProgressed:
    return JobProgressed(operation_id=operation_id, kind="backup", phase="capture", done_bytes=done)


async def test_progress_and_events_of_one_operation_arrive(site: Site) -> None:
    """Otherwise a progress bar stands still, or shows another backup's progress."""
    client = await site.log_in()
    backup_id = (await client.post("/api/backups")).json()["id"]
    async with following(client, operation=backup_id) as stream:
        name, data = await stream.event()
        assert (name, data["id"], data["state"]) == ("operation", backup_id, "queued")
        await site.tell(progress(str(uuid7()), 1))
        await site.tell(progress(backup_id, 2))
        name, data = await stream.event()
        assert (name, data["operation_id"]) == ("job.progressed", backup_id)
        assert data["data"]["done_bytes"] == 2
        await site.tell(completed(backup_id, "x"))
        name, data = await stream.event()
        assert (name, data["data"]["size_bytes"]) == ("backup.completed", 1000)


async def test_without_a_filter_everything_arrives(site: Site) -> None:
    """Otherwise a console has to ask for each operation by itself."""
    async with following(await site.log_in()) as stream:
        for number in range(3):
            await site.tell(progress(str(uuid7()), number))
        seen = [(await stream.event())[1]["data"]["done_bytes"] for _ in range(3)]
    assert seen == [0, 1, 2]


async def test_a_key_of_a_station_follows_that_station_alone(site: Site) -> None:
    """Otherwise a till cannot follow its own backup, or it hears of every other till's."""
    owner = await site.log_in()
    wish = {"name": "till", "scopes": ["backups:create", "backups:read"], "station": "till-7"}
    key = (await owner.post("/api/api-keys", json=wish)).json()["key"]
    program = site.anonymous()
    program.headers["Authorization"] = f"Bearer {key}"
    own = (await program.post("/api/backups", json={"station": "till-7"})).json()["id"]
    other = (await owner.post("/api/backups", json={"station": "till-8"})).json()["id"]
    async with following(program, operation=own) as stream:
        assert (await stream.event())[1]["id"] == own
    for params in ({"operation": other}, {}):
        refused = await program.get("/api/events/stream", params=params)
        assert refused.status_code == 403


async def test_an_unknown_operation_is_not_found(site: Site) -> None:
    """Otherwise a client waits for what will never come."""
    client = await site.log_in()
    answer = await client.get("/api/events/stream", params={"operation": str(uuid7())})
    assert answer.status_code == 404


async def test_a_user_has_a_bounded_number_of_streams(site: Site) -> None:
    """Otherwise one browser with many tabs uses up the server."""
    client = await site.log_in(await site.add_user(["viewer"]))
    async with asyncio.TaskGroup() as group:
        open_, enough = asyncio.Semaphore(0), asyncio.Event()
        for _ in range(16):
            group.create_task(_hold(client, open_, enough))
        async with asyncio.timeout(60):
            for _ in range(16):
                await open_.acquire()
        refused = await client.get("/api/events/stream")
        enough.set()
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "too_many_streams"
    async with asyncio.timeout(60):
        while await _refused(client):
            await asyncio.sleep(0.1)


async def _hold(client: httpx.AsyncClient, open_: asyncio.Semaphore, enough: asyncio.Event) -> None:
    async with following(client):
        open_.release()
        await enough.wait()


async def _refused(client: httpx.AsyncClient) -> bool:
    async with client.stream("GET", "/api/events/stream") as answer:
        return answer.status_code != 200


ROLE = "UPDATE roles SET {} FROM user_roles ur WHERE ur.role = roles.name AND ur.user_id = $1"
ENDINGS = {
    "logout": "DELETE FROM sessions WHERE user_id = $1",
    "idle": "UPDATE sessions SET last_seen_at = now() - interval '1 day' WHERE user_id = $1",
    "disabled": "UPDATE users SET disabled_at = now() WHERE id = $1",
    "another role": "DELETE FROM user_roles WHERE user_id = $1",
    "a smaller role": ROLE.format("permissions = '{audit:read}'"),
    "a second factor": ROLE.format("mfa_required = true"),
    "revoked": "DELETE FROM api_keys WHERE user_id = $1",
    "expired": "UPDATE api_keys SET expires_at = now() WHERE user_id = $1",
    "smaller scopes": "UPDATE api_keys SET scopes = '{audit:read}' WHERE user_id = $1",
}
OF_KEYS = {"disabled", "another role", "a smaller role", "revoked", "expired", "smaller scopes"}
OF_SESSIONS = ENDINGS.keys() - {"revoked", "expired", "smaller scopes"}


@pytest.mark.parametrize(
    ("why", "by_key"),
    [*((why, False) for why in sorted(OF_SESSIONS)), *((why, True) for why in sorted(OF_KEYS))],
)
async def test_a_stream_ends_with_what_allowed_it(
    site: Site, monkeypatch: pytest.MonkeyPatch, why: str, by_key: bool
) -> None:
    """Otherwise whoever was shut out goes on listening."""
    assert response.HEARTBEAT <= 30
    often = {**(response.events.__kwdefaults__ or {}), "heartbeat": 0.05}
    monkeypatch.setattr(response.events, "__kwdefaults__", often)
    name = await site.add_user([], ["backups:read"])
    client = await site.log_in(name)
    if by_key:
        body = {"name": "x", "scopes": ["backups:read"]}
        key = (await client.post("/api/api-keys", json=body)).json()["key"]
        client.headers["Authorization"] = f"Bearer {key}"
    async with following(client) as stream:
        assert await stream.line(":") == "still here"
        await site.runtime.pool.execute(ENDINGS[why], await site.user_id(name))
        while (said := await stream.line(":")) == "still here":
            pass
    assert said == "access has ended"


async def test_the_service_stops_while_streams_are_open(
    database_url: Callable[[str], str],
) -> None:
    """Otherwise one open browser tab holds up every restart."""
    stopping = running(database_url("gateway"))
    site = await stopping.__aenter__()
    client = httpx.AsyncClient(base_url=site.url, timeout=60)
    client.headers = (await site.log_in()).headers
    async with following(client) as stream, asyncio.timeout(60):
        stop = asyncio.create_task(stopping.__aexit__(None, None, None))
        assert "restarting" in await stream.line(":")
        await stop
    await client.aclose()
