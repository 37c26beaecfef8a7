"""Every answer of a web application: its headers, its form, its line in the log."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, SecretStr
from structlog.testing import capture_logs

from common.errors import Conflict, Unauthorized
from common.web import create_app
from common.web.middleware import safe_url

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-XSS-Protection": "1; mode=block",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Content-Security-Policy": "default-src 'self'",
}


class Login(BaseModel):
    """A body with a secret."""

    name: str
    password: SecretStr


class Late(Conflict):
    """Not now."""

    retry_after = 2.4


async def fine() -> dict[str, str]:
    return {"fine": "yes"}


async def login(body: Login) -> str:
    return body.name


async def conflict() -> None:
    raise Late(remedy="Wait.")


async def unknown() -> None:
    raise Unauthorized


async def broken() -> None:
    raise RuntimeError("hunter2")


async def disconnected() -> None:
    raise ConnectionResetError


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(title="Test", body_limit=100)
    app.add_api_route("/fine", fine)
    app.add_api_route("/login", login, methods=["POST"])
    for endpoint in (conflict, unknown, broken, disconnected):
        app.add_api_route(f"/{endpoint.__name__}", endpoint)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as found:
        yield found


BIG = {"name": "x" * 200, "password": ""}
CASES = [
    pytest.param("GET", "/fine", None, 200, None, id="fine"),
    pytest.param("GET", "/absent", None, 404, "not_found", id="absent"),
    pytest.param("POST", "/fine", {}, 405, "method_not_allowed", id="method"),
    pytest.param("POST", "/login", {"name": 1}, 422, "validation_error", id="invalid"),
    pytest.param("POST", "/login", BIG, 413, "request_too_large", id="large"),
    pytest.param("POST", "/absent", BIG, 413, "request_too_large", id="large-absent"),
    pytest.param("GET", "/conflict", None, 409, "conflict", id="raised"),
    pytest.param("GET", "/unknown", None, 401, "unauthorized", id="unknown"),
    pytest.param("GET", "/broken", None, 500, "internal_error", id="broken"),
    pytest.param("GET", "/disconnected", None, 503, "unavailable", id="disconnected"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "code"), CASES)
async def test_every_answer_has_the_headers_and_every_error_the_form(
    client: httpx.AsyncClient, method: str, path: str, body: Any, status: int, code: str | None
) -> None:
    """Otherwise some error page can be framed, sniffed, or breaks the client that reads it."""
    answer = await client.request(method, path, json=body)
    assert answer.status_code == status
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert answer.headers["cache-control"] == "no-store"
    if code:
        assert set(answer.json()) == {"error"}
        assert set(answer.json()["error"]) == {"code", "message", "details"}
        assert answer.json()["error"]["code"] == code


async def test_a_growing_body_is_cut_off(client: httpx.AsyncClient) -> None:
    """Otherwise a body without an announced length fills the memory."""

    async def grow() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b" " * 10

    headers = {"content-type": "application/json"}
    answer = await client.post("/login", content=grow(), headers=headers)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "request_too_large"


async def test_a_validation_error_names_the_field_and_never_the_value(
    client: httpx.AsyncClient,
) -> None:
    """Otherwise the user cannot correct it, or a password comes back in an error."""
    answer = await client.post("/login", json={"password": {"hunter2": 1}})
    assert answer.json()["error"]["details"]["field"] == "name"
    assert len(answer.json()["error"]["details"]["errors"]) == 2
    assert "hunter2" not in answer.text


async def test_an_unreadable_body_is_a_validation_error(client: httpx.AsyncClient) -> None:
    """Otherwise broken JSON is answered in another form than the rest."""
    headers = {"content-type": "application/json"}
    answer = await client.post("/login", content=b'{"password": "hunter2', headers=headers)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["field"] == "body"
    assert "hunter2" not in answer.text


async def test_an_error_says_when_and_what_to_do(client: httpx.AsyncClient) -> None:
    """Otherwise a client that is told to wait does not know how long."""
    answer = await client.get("/conflict")
    assert answer.headers["retry-after"] == "2"
    assert answer.json()["error"]["message"] == "Not now."
    assert answer.json()["error"]["details"] == {"remedy": "Wait."}
    assert (await client.get("/unknown")).headers["www-authenticate"] == "Bearer"
    assert (await client.post("/fine")).headers["allow"] == "GET"


async def test_an_unexpected_error_tells_nothing_but_its_request_id(
    client: httpx.AsyncClient,
) -> None:
    """Otherwise an internal error shows a caller what is inside."""
    answer = await client.get("/broken")
    assert "hunter2" not in answer.text
    assert answer.json()["error"]["details"] == {"request_id": answer.headers["x-request-id"]}


async def test_each_request_is_one_line_with_the_documented_fields(
    client: httpx.AsyncClient,
) -> None:
    """Otherwise security monitoring misses a request, or reads a token out of the log."""
    with capture_logs() as lines:
        answer = await client.get("/fine?limit=5&token=hunter2", headers={"user-agent": "curl"})
        await client.get("/broken")
    first, failure, last = lines
    assert first["url"] == "/fine?limit=5&token=-"
    assert (first["method"], first["status_code"], first["user_agent"]) == ("GET", 200, "curl")
    assert first["client_ip"] == "127.0.0.1"
    assert first["processing_time"] >= 0
    assert first["request_id"] == answer.headers["x-request-id"]
    assert failure["event"] == "request failed"
    assert last["status_code"] == 500


def test_a_logged_url_is_one_bounded_line() -> None:
    """Otherwise a request forges log lines or fills the disk."""
    scope = {"path": "/a\nb", "query_string": b"limit=1%0A2&" + b"x" * 9000}
    assert "\n" not in safe_url(scope)
    assert len(safe_url(scope)) <= 512
    token = scope | {"query_string": b"state=" + b"t" * 64 + b"&kind=backup"}
    assert safe_url(token).endswith("?state=-&kind=backup")
