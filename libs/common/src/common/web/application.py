"""The application factory."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from common.errors import Error
from common.web.errors import (
    answer_error,
    answer_http_exception,
    answer_invalid,
    answer_unexpected,
)
from common.web.middleware import BodyLimit, RequestLog, SecurityHeaders


class Application(FastAPI):
    """FastAPI inside the layers that every answer passes, those of its own errors included."""

    body_limit: int = 1 << 20
    security_schemes: Mapping[str, Any] = MappingProxyType({})

    def build_middleware_stack(self) -> ASGIApp:
        """Headers, log and limit lie outside of all that the framework answers by itself."""
        limited = BodyLimit(super().build_middleware_stack(), self.body_limit)
        return SecurityHeaders(RequestLog(limited))

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
    security_schemes: Mapping[str, Any] | None = None,
    **documentation: Any,
) -> Application:
    """An application without routes, documentation pages included; ``body_limit`` in bytes."""
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
    app.security_schemes = security_schemes or {}
    app.add_exception_handler(Error, answer_error)
    app.add_exception_handler(HTTPException, answer_http_exception)
    app.add_exception_handler(RequestValidationError, answer_invalid)
    app.add_exception_handler(Exception, answer_unexpected)
    return app
