"""Who the command line is logged in as: a token for each server, in a file of 0600.

And how each server knows this device, which strangers' wrong passwords do not lock out.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from common.storage.folders import make_folders
from standalone import secretfile


@dataclass(slots=True)
class Credentials:
    """The tokens by server, those of this device by user, and the server of the last login."""

    server: str = ""
    tokens: dict[str, str] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)


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
    credentials.server = server
    credentials.tokens[server] = token
    _write(credentials)


def forget(server: str) -> None:
    """Forget the token for ``server``."""
    credentials = _read()
    if credentials.tokens.pop(server, None) is not None:
        _write(credentials)


def device_of(server: str, user: str) -> str:
    """The token by which ``server`` knows this device of ``user``; empty if it does not."""
    return _read().devices.get(f"{user} {server}", "")


def keep_device(server: str, user: str, token: str) -> None:
    """Remember by which token ``server`` knows this device of ``user``."""
    credentials = _read()
    credentials.devices[f"{user} {server}"] = token
    _write(credentials)
