"""One form for every error: ``{"error": {"code", "message", "details"}}``.

An answer never repeats what was sent, which may be a password, and never shows the text of an
unexpected exception.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from common.db import is_transient
from common.errors import Error

CODES = {
    400: ("bad_request", "The request cannot be read."),
    401: ("unauthorized", "Who is asking is not known: log in first."),
    403: ("forbidden", "The permission for this operation is missing."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take this method."),
    409: ("conflict", "The current state does not allow this operation."),
    413: ("request_too_large", "The request is larger than this server accepts."),
    422: ("validation_error", "The request is not acceptable as it stands."),
    423: ("account_locked", "Too many failed logins: the account is locked for a while."),
    429: ("rate_limited", "Too many requests: slow down."),
    500: ("internal_error", "Something went wrong inside Strongroom."),
    503: ("unavailable", "A service that is needed does not answer."),
}


class ErrorBody(BaseModel):
    """What happened: a stable code, a sentence, and what more there is to say."""

    code: str = Field(examples=["validation_error"])
    message: str = Field(examples=["Input validation failed"])
    details: dict[str, Any] = Field(
        default_factory=dict, examples=[{"field": "backup_name", "reason": "Field required"}]
    )


class ErrorAnswer(BaseModel):
    """The body of every answer with a status of 400 and above."""

    error: ErrorBody


def error_answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that can answer with these errors, for its documentation."""
    return {status: _documented(status) for status in statuses}


def _documented(status: int) -> dict[str, Any]:
    code, message = CODES[status]
    example = {"error": {"code": code, "message": message, "details": {}}}
    return {
        "model": ErrorAnswer,
        "description": message,
        "content": {"application/json": {"example": example}},
    }


def error_response(
    status: int,
    code: str,
    message: str,
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error in the form that all errors have."""
    body = {"error": {"code": code, "message": message, "details": dict(details or {})}}
    return JSONResponse(body, status_code=status, headers=dict(headers or {}))


def answer_error(_: Request, error: Exception) -> Response:
    """An error that the code raised on purpose.

    An error may have ``retry_after`` (seconds) and ``details``.
    """
    if not isinstance(error, Error):
        raise TypeError from error
    details = dict(getattr(error, "details", {}))
    if error.remedy:
        details["remedy"] = error.remedy
    return error_response(error.status, error.code, error.message, details, _headers(error))


def _headers(error: Error) -> dict[str, str]:
    retry_after = getattr(error, "retry_after", None)
    headers = {} if retry_after is None else {"Retry-After": str(max(1, round(retry_after)))}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def answer_http_exception(_: Request, error: Exception) -> Response:
    """An error that the framework found: no such route, a wrong method, an unreadable body."""
    if not isinstance(error, HTTPException):
        raise TypeError from error
    code, message = CODES.get(error.status_code, ("http_error", "The request was refused."))
    return error_response(error.status_code, code, message, headers=error.headers)


def answer_invalid(_: Request, error: Exception) -> Response:
    """A request that does not fit its schema: which fields, and why."""
    if not isinstance(error, RequestValidationError):
        raise TypeError from error
    problems = [
        {"field": _field(problem["loc"]), "reason": str(problem["msg"])}
        for problem in error.errors()
    ]
    details = {**problems[0], "errors": problems} if problems else {}
    return error_response(422, "validation_error", "Input validation failed", details)


def _field(location: Sequence[int | str]) -> str:
    """``("body", "paths", 0)`` is the field ``paths.0``; ``("body", 7)`` a place in no JSON."""
    unparsed = len(location) == 2 and isinstance(location[1], int)  # noqa: PLR2004 - as shown
    parts = location[:1] if unparsed else location[1:] or location
    return ".".join(str(part) for part in parts)


def answer_unexpected(request: Request, error: Exception) -> Response:
    """Anything else: no word of what it was; the log has it under the request's id."""
    status = 503 if is_transient(error) else 500
    code, message = CODES[status]
    return error_response(status, code, message, {"request_id": request.state.request_id})
