"""The application factory."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from common.errors import Error
from common.web.edge import Edge, HostCheck, TrustedProxies
from common.web.errors import (
    answer_error,
    answer_http_exception,
    answer_invalid,
    answer_unexpected,
)
from common.web.middleware import BodyLimit, RequestLog, SecurityHeaders

# Sites that are let in use bearer tokens: cookies are for the console's own pages alone.
CORS_REQUEST_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key", "Prefer")
CORS_ANSWER_HEADERS = ("Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID")


class Application(FastAPI):
    """FastAPI inside the layers that every answer passes, those of its own errors included."""

    body_limit: int = 1 << 20
    body_limits: Mapping[str, int] = MappingProxyType({})
    edge: Edge = Edge()
    security_schemes: Mapping[str, Any] = MappingProxyType({})

    def build_middleware_stack(self) -> ASGIApp:
        """Headers, log and limit lie outside of all that the framework answers by itself."""
        edge = self.edge
        app: ASGIApp = BodyLimit(
            super().build_middleware_stack(), self.body_limit, self.body_limits
        )
        if edge.origins:
            app = CORSMiddleware(
                app,
                allow_origins=tuple(edge.origins),
                allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
                allow_headers=CORS_REQUEST_HEADERS,
                expose_headers=CORS_ANSWER_HEADERS,
            )
        app = HostCheck(app, edge)
        return TrustedProxies(SecurityHeaders(RequestLog(app), edge.hsts), edge)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, with the ways to authenticate."""
        document = super().openapi()
        if self.security_schemes:
            document.setdefault("components", {})["securitySchemes"] = dict(self.security_schemes)
        return document


def create_app(
    *,
    title: str,
    body_limit: int = 1 << 20,
    body_limits: Mapping[str, int] | None = None,
    edge: Edge | None = None,
    security_schemes: Mapping[str, Any] | None = None,
    **documentation: Any,
) -> Application:
    """An application without routes, documentation pages included.

    ``body_limit`` is in bytes, and ``body_limits`` for paths that have one of their own.
    """
    app = Application(
        title=title,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # A redirect would repeat the Host header, which anybody may set.
        redirect_slashes=False,
        # Its spans would carry query strings and its logs request bodies; RequestLog has a span.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        **documentation,
    )
    app.body_limit = body_limit
    app.body_limits = body_limits or {}
    app.edge = edge or Edge()
    app.security_schemes = security_schemes or {}
    app.add_exception_handler(Error, answer_error)
    app.add_exception_handler(HTTPException, answer_http_exception)
    app.add_exception_handler(RequestValidationError, answer_invalid)
    app.add_exception_handler(Exception, answer_unexpected)
    return app
