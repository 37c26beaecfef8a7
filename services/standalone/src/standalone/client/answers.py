"""From an HTTP answer to a value, or to the error that it reports."""

from typing import Any

import httpx

from common.errors import (
    Conflict,
    Error,
    Forbidden,
    Invalid,
    NotFound,
    Unauthorized,
    Unavailable,
    of_code,
)

# For codes that only the server knows.
BY_STATUS: dict[int, type[Error]] = {
    400: Invalid, 401: Unauthorized, 403: Forbidden, 404: NotFound, 405: Invalid, 409: Conflict,
    413: Invalid, 422: Invalid, 423: Forbidden, 429: Unavailable,
    502: Unavailable, 503: Unavailable, 504: Unavailable,
}  # fmt: skip

STEP_UP = "step_up_required"
LOG_IN = "Run: strongroom login"
# What the server says is for programs.
REMEDIES = {
    STEP_UP: f"{LOG_IN}, and then this again.",
    "second_factor_required": LOG_IN,
    "session_required": f"Unset STRONGROOM_TOKEN. {LOG_IN}",
    "password_change_required": "Run: strongroom password",
    "mfa_enrolment_required": "Run: strongroom factors add-totp",
}


def read(answer: httpx.Response) -> Any:
    """The document of an answer.

    Raises:
        Error: what the server reports, as the class of its code.
    """
    if answer.is_success:
        return answer.json() if answer.content else None
    report = _reported(answer)
    details = report.get("details") or {}
    message = str(report.get("message") or f"The server answered {answer.status_code}.")
    if reasons := _reasons(details):
        message = f"{message.rstrip('.')}: {reasons}"
    code = str(report.get("code") or BY_STATUS.get(answer.status_code, Error).code)
    error = of_code(code, message, _remedy(answer, code, details))
    if type(error) is Error and answer.status_code in BY_STATUS:
        error = BY_STATUS[answer.status_code](message, remedy=error.remedy)
        error.code = code
    raise error


def _reported(answer: httpx.Response) -> dict[str, Any]:
    try:
        error = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}


def _reasons(details: dict[str, Any]) -> str:
    """Everything that is wrong, by field: whoever corrects it wants to do so once."""
    by_field: dict[str, list[str]] = {}
    for each in details.get("errors") or [details]:
        if each.get("field"):
            by_field.setdefault(each["field"], []).append(str(each.get("reason", "")))
    return "; ".join(f"{field}: {', '.join(reasons)}" for field, reasons in by_field.items())


def _remedy(answer: httpx.Response, code: str, details: dict[str, Any]) -> str:
    if code in REMEDIES:
        return REMEDIES[code]
    if details.get("remedy"):
        return str(details["remedy"])
    if seconds := answer.headers.get("Retry-After"):
        return f"Try again in {seconds} seconds."
    return LOG_IN if code == Unauthorized.code else ""
