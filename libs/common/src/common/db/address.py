"""What may be said about a database's address: never its password."""

from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr


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
