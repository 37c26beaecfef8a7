"""What surrounds every request, framework errors included."""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import structlog
from opentelemetry.trace import Span, SpanKind
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.messages import uuid7
from common.observability import bound, span
from common.web.errors import CODES, error_response

log = structlog.stdlib.get_logger(__name__)

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-XSS-Protection": "1; mode=block",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Content-Security-Policy": "default-src 'self'",
}

# Only these parameters are logged with their values: any other may be a token.
HARMLESS = frozenset(
    {"limit", "offset", "state", "kind", "operation", "start_date", "end_date", "event_type"}
    | {"risk_level", "station", "name", "backup"}
)
LONGEST_VALUE = 40  # a token that comes under a harmless name is longer
LONGEST_LOGGED = 512


def safe_url(scope: Scope) -> str:
    """Path and query as they may be logged: values only of parameters known to be no secret."""
    path = quote(scope["path"])
    pairs = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    shown = [(k, v if k in HARMLESS and len(v) <= LONGEST_VALUE else "-") for k, v in pairs]
    query = urlencode(shown)
    return (f"{path}?{query}" if query else path)[:LONGEST_LOGGED]


def always_send(scope: Scope) -> dict[str, str]:
    """Headers that this request's answer will have, whatever it is; the caller adds to them."""
    found: dict[str, str] = scope.setdefault("state", {}).setdefault("headers", {})
    return found


class SecurityHeaders:
    """Puts the security headers on every answer; nothing an application says weakens them."""

    def __init__(self, app: ASGIApp, hsts: int = 0) -> None:
        self.app = app
        self.hsts = f"max-age={hsts}; includeSubDomains" if hsts else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete the headers of its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY_HEADERS)
                if self.hsts and scope["scheme"] == "https":
                    headers["Strict-Transport-Security"] = self.hsts
                headers.setdefault("Cache-Control", "no-store")
                headers.update(always_send(scope))
            await send(message)

        await self.app(scope, receive, complete)


class RequestLog:
    """Gives the request an id, and writes one line when its answer has ended."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on within its span and log context."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = str(uuid7())
        scope.setdefault("state", {})["request_id"] = request_id
        seen: dict[str, Any] = {"status_code": 500}

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen["status_code"] = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        begin = time.perf_counter()
        with bound(request_id=request_id), _span(scope):
            try:
                await self.app(scope, receive, watch)
            except Exception:
                # The answer has gone out already: the innermost layer has sent a 500.
                log.exception("request failed")
            finally:
                _log_request(scope, seen["status_code"], time.perf_counter() - begin)


def _span(scope: Scope) -> AbstractContextManager[Span]:
    return span(
        f"HTTP {scope['method']}",
        traceparent=Headers(scope=scope).get("traceparent", ""),
        kind=SpanKind.SERVER,
        **{"url.path": scope["path"]},
    )


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    client = scope.get("client")
    log.info(
        "request",
        request_id=scope["state"]["request_id"],
        method=scope["method"],
        url=safe_url(scope),
        client_ip=client[0] if client else "",
        user_agent=Headers(scope=scope).get("user-agent", "")[:LONGEST_LOGGED],
        status_code=status,
        processing_time=round(seconds, 4),
    )


class BodyLimit:
    """Refuses a body that is too large: by its announced length, else when it has grown so far.

    ``limits`` are those of paths that take more or less than others.
    """

    def __init__(self, app: ASGIApp, limit: int, limits: Mapping[str, int]) -> None:
        self.app = app
        self.limit = limit
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.limits.get(scope["path"], self.limit)
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdecimal() or int(announced) > limit:
            code, message = CODES[413]
            details = {"limit_bytes": limit}
            response = error_response(413, code, message, details, {"Connection": "close"})
            await response(scope, receive, send)
            return
        taken = 0

        async def count() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise HTTPException(413, headers={"Connection": "close"})
            return message

        await self.app(scope, count, send)
