"""From an HTTP answer to a value, or to the error that it reports."""

from typing import Any

import httpx

from common.errors import Error, Forbidden, Unauthorized, Unavailable, of_code

BY_STATUS: dict[int, type[Error]] = {
    401: Unauthorized, 403: Forbidden, 502: Unavailable, 503: Unavailable, 504: Unavailable,
}  # fmt: skip

LOG_IN = "Run: strongroom login"
# What the server says is for programs.
REMEDIES = {
    "step_up_required": f"{LOG_IN}, and then this again.",
    "second_factor_required": LOG_IN,
    "password_change_required": "Run: strongroom password",
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
    if details.get("field"):
        message = f"{message.rstrip('.')}: {details['field']}: {details.get('reason', '')}"
    code = str(report.get("code") or BY_STATUS.get(answer.status_code, Error).code)
    hint = LOG_IN if code == Unauthorized.code else ""
    remedy = REMEDIES.get(code) or str(details.get("remedy") or hint)
    error = of_code(code, message, remedy)
    if type(error) is Error and answer.status_code in BY_STATUS:
        error = BY_STATUS[answer.status_code](message, remedy=remedy)
        error.code = code
    raise error


def _reported(answer: httpx.Response) -> dict[str, Any]:
    try:
        error = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}
