"""Who the command line is logged in as: a token for each server, in a file of 0600."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from common.storage.folders import make_folders
from standalone import secretfile


@dataclass(slots=True)
class Credentials:
    """The tokens by server, and the server of the last login."""

    server: str = ""
    tokens: dict[str, str] = field(default_factory=dict)


def _file() -> Path:
    configured = os.environ.get("XDG_CONFIG_HOME")
    folder = Path(configured) if configured else Path.home() / ".config"
    return folder / "strongroom" / "credentials.json"


def _read() -> Credentials:
    try:
        return Credentials(**json.loads(_file().read_text()))
    except (OSError, ValueError, TypeError):
        return Credentials()


def _write(credentials: Credentials) -> None:
    make_folders(_file().parent)
    secretfile.write(_file(), json.dumps(asdict(credentials)))


def last_server() -> str:
    """The server of the last login; empty if there was none."""
    return _read().server


def token_for(server: str) -> str:
    """The token for ``server``: STRONGROOM_TOKEN, else that of the last login; empty if none."""
    return os.environ.get("STRONGROOM_TOKEN") or _read().tokens.get(server, "")


def keep(server: str, token: str) -> None:
    """Remember the token for ``server``, and that it is the one that is meant from now on."""
    credentials = _read()
    _write(Credentials(server, {**credentials.tokens, server: token}))


def forget(server: str) -> None:
    """Forget the token for ``server``."""
    credentials = _read()
    if credentials.tokens.pop(server, None) is not None:
        _write(credentials)
