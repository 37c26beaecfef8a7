"""What may be said about a database's address: never its password."""

import os
from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr

_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")


def place(url: SecretStr) -> str:
    """``user@host:port/database`` of a PostgreSQL URL, for messages."""
    try:
        parts = urlsplit(url.get_secret_value())
        options = parse_qs(parts.query)
        host = parts.hostname or (options.get("host") or ["localhost"])[0]
        port = f":{parts.port}" if parts.port else ""
        user = f"{parts.username}@" if parts.username else ""
    except ValueError:
        return "the configured address"
    return f"{user}{host}{port}{parts.path}"


def missing_file(url: SecretStr) -> str | None:
    """The first of the address's certificate files that cannot be read."""
    try:
        options = parse_qs(urlsplit(url.get_secret_value()).query)
    except ValueError:
        return None
    named = [path for key in _FILES for path in options.get(key, [])]
    return next((path for path in named if not os.access(path, os.R_OK)), None)
