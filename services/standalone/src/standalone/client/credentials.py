"""Who the command line is logged in as: one token for each server, in a file of 0600."""

import json
import os
from pathlib import Path

from common.storage.folders import make_folders
from standalone import secretfile


def _file() -> Path:
    configured = os.environ.get("XDG_CONFIG_HOME")
    folder = Path(configured) if configured else Path.home() / ".config"
    return folder / "strongroom" / "credentials.json"


def _read() -> dict[str, str]:
    try:
        content = json.loads(_file().read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def token_for(server: str) -> str:
    """The token for ``server``: STRONGROOM_TOKEN, else that of the last login; empty if none."""
    return os.environ.get("STRONGROOM_TOKEN") or _read().get(server, "")


def keep(server: str, token: str) -> None:
    """Remember the token for ``server``."""
    make_folders(_file().parent)
    secretfile.write(_file(), json.dumps({**_read(), server: token}))


def forget(server: str) -> None:
    """Forget the token for ``server``."""
    tokens = _read()
    if tokens.pop(server, None) is not None:
        secretfile.write(_file(), json.dumps(tokens))
