"""Secrets in files that only their owner can read."""

import os
import secrets
from pathlib import Path

from common.storage.folders import sync_folder


def write(path: Path, value: str) -> None:
    """Put ``value`` into ``path`` (0600), durably, in place of whatever was there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, 0o600)
        file.write(value)
        file.flush()
        os.fsync(descriptor)
    temporary.replace(path)
    sync_folder(path.parent)


def read_or_make(path: Path) -> str:
    """The secret in ``path``; at the first time it is made, of 256 random bits."""
    if not path.exists():
        write(path, secrets.token_urlsafe(32))
    return path.read_text()
