"""What a service tells of itself over HTTP."""

import asyncio
import socket

import httpx
import pytest

from common.errors import Unavailable
from common.health import Health, create_app, serving
from common.observability import metrics


async def fine() -> str | None:
    return None


async def gone() -> str | None:
    return "RabbitMQ at broker:5672 is not connected."


async def hanging() -> str | None:
    await asyncio.Event().wait()
    return None


async def broken() -> str | None:
    raise ValueError("postgresql://user:hunter2@host/db")


def client(health: Health) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=create_app(health))
    return httpx.AsyncClient(transport=transport, base_url="http://health")


async def test_ready_only_between_start_and_end() -> None:
    """An orchestrator sends work as soon as it reads 200, and must stop before the end."""
    health = Health()
    health.add_check("database", fine)
    async with client(health) as http:
        assert (await http.get("/readyz")).status_code == 503
        health.start()
        assert (await http.get("/readyz")).status_code == 200
        health.stop()
        answer = await http.get("/readyz")
        assert (answer.status_code, answer.json()["missing"]) == (
            503,
            {"service": "It is shutting down."},
        )
        assert (await http.get("/healthz")).json() == {"status": "alive"}


async def test_every_missing_dependency_is_named_in_time() -> None:
    """The operator must read what is missing, even when a check hangs or breaks."""
    health = Health()
    health.start()
    for name, check in {"a": fine, "bus": gone, "disk": hanging, "database": broken}.items():
        health.add_check(name, check)
    async with asyncio.timeout(60), client(health) as http:
        answer = await http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["missing"] == {
        "bus": "RabbitMQ at broker:5672 is not connected.",
        "disk": "No answer within 3 seconds.",
        "database": "The check failed: ValueError.",
    }


async def test_a_warning_is_shown_and_takes_nothing_out_of_service() -> None:
    """One parked message must be seen, and must not take a gateway from its users."""
    health = Health()
    health.start()
    health.add_warning("outbox", gone)
    async with client(health) as http:
        answer = await http.get("/readyz")
    assert answer.status_code == 200
    assert list(answer.json()["warnings"]) == ["outbox"]


async def test_metrics_are_served() -> None:
    """Without them nobody sees a backlog grow."""
    async with client(Health()) as http:
        answer = await http.get("/metrics")
    assert next(iter(metrics.JOBS_WAITING.describe())).name in answer.text


async def test_a_server_serves_until_its_end() -> None:
    """After the end the port must be free again."""
    async with serving(create_app(Health()), "127.0.0.1", 0) as port:
        async with httpx.AsyncClient(timeout=60) as http:
            answer = await http.get(f"http://127.0.0.1:{port}/healthz")
        assert answer.status_code == 200
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", port)) != 0


async def test_a_used_port_gets_a_sentence() -> None:
    """A stack trace does not tell an operator which setting to change."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"Port {port} on 127.0.0.1 cannot be used"):
            async with serving(create_app(Health()), "127.0.0.1", port):
                pass
