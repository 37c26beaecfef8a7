"""From an HTTP answer to a value, or to the error that it reports."""

from typing import Any

import httpx

from common.errors import Error, Unauthorized, Unavailable


def _known(cls: type[Error] = Error) -> dict[str, type[Error]]:
    found = {cls.code: cls}
    for child in cls.__subclasses__():
        found |= {code: each for code, each in _known(child).items() if code not in found}
    return found


def error_class(code: str, otherwise: type[Error]) -> type[Error]:
    """The class whose stable code this is."""
    return _known().get(code, otherwise)


def read(answer: httpx.Response) -> Any:
    """The document of an answer.

    Raises:
        Error: what the server reports, as the class of its code.
    """
    if answer.is_success:
        return answer.json() if answer.content else None
    if answer.status_code == Unauthorized.status and not _reported(answer):
        raise Unauthorized(remedy="Run: strongroom login")
    report = _reported(answer)
    message = str(report.get("message") or f"The server answered {answer.status_code}.")
    remedy = str((report.get("details") or {}).get("remedy", ""))
    cls = error_class(str(report.get("code")), _by_status(answer.status_code))
    if issubclass(cls, Unauthorized) and cls.code == Unauthorized.code:
        remedy = remedy or "Run: strongroom login"
    raise cls(message, remedy=remedy)


def _reported(answer: httpx.Response) -> dict[str, Any]:
    try:
        error = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}


def _by_status(status: int) -> type[Error]:
    matching = [cls for cls in _known().values() if cls.status == status]
    return matching[0] if matching else (Unavailable if status in (502, 503, 504) else Error)
