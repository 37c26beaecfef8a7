"""From an HTTP answer to a value, or to the error that it reports."""

from typing import Any

import httpx

from common.errors import Error, Forbidden, Unauthorized, Unavailable, of_code

BY_STATUS: dict[int, type[Error]] = {
    401: Unauthorized, 403: Forbidden, 502: Unavailable, 503: Unavailable, 504: Unavailable,
}  # fmt: skip


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
    hint = "Run: strongroom login" if code == Unauthorized.code else ""
    raise of_code(code, message, str(details.get("remedy") or hint))


def _reported(answer: httpx.Response) -> dict[str, Any]:
    try:
        error = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}
