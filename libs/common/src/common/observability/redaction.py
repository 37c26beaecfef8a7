"""The second line of defence: what looks like a secret does not reach a log.

The first line is that nobody passes one; a value that gets here is hidden by its key or its shape.
"""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import SecretBytes, SecretStr

HIDDEN = "[redacted]"

_SECRET_KEY = re.compile(
    r"passw|passphrase|secret|token|authori[sz]ation|cookie|credential|(^|_)dsn$"
    r"|(^|_)(api|access|encryption|writer|private|run|recovery)_?key$",
    re.IGNORECASE,
)
_SHAPES = (
    # scheme://user:password@host
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@]*@", re.IGNORECASE), rf"\1:{HIDDEN}@"),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    # password=..., "secret": "..."
    (
        re.compile(
            r"((?:passw\w*|secret\w*|token|api_?key)[\"']?\s*[=:]\s*)[^\s,;&)]+", re.IGNORECASE
        ),
        rf"\1{HIDDEN}",
    ),
)
_DEPTH = 6


def scrub(text: str) -> str:
    """``text`` without the passwords of URLs, authorization headers and key=value pairs."""
    for pattern, replacement in _SHAPES:
        text = pattern.sub(replacement, text)
    return text


def redact(value: Any, *, key: str = "", depth: int = _DEPTH) -> Any:
    """A copy of ``value`` in which secrets are hidden, by their key or by their shape."""
    if isinstance(value, SecretStr | SecretBytes) or (key and _SECRET_KEY.search(key)):
        return HIDDEN if value not in (None, "", 0) else value
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping) and depth:
        return {str(name): redact(v, key=str(name), depth=depth - 1) for name, v in value.items()}
    if isinstance(value, list | tuple) and depth:
        return [redact(each, depth=depth - 1) for each in value]
    # Anything else is logged as its text, an error above all.
    return scrub(str(value))
