"""Secrets in files that only their owner can read."""

import os
import secrets
import sys
from pathlib import Path

from common.errors import Conflict, Invalid
from common.storage.folders import sync_folder
from standalone import console


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


def give(
    secret: str,
    out: Path | None,
    what: str = "The key is",
    advice: str = "Keep a copy of it offline.",
) -> None:
    """Hand a new secret to the user: on standard output, or in a new file, with some advice.

    Raises:
        Conflict: the file is there already.
    """
    if out is None:
        sys.stdout.write(f"{secret}\n")
        return
    require_new(out)
    try:
        write(out, f"{secret}\n")
    except OSError as error:
        raise Invalid(f"{out} cannot be written: {error.strerror}.") from error
    console.note(f"{what} in {out}. {advice}")


def require_new(out: Path | None) -> None:
    """Refuse a file that is there already, before the secret for it is made.

    Raises:
        Conflict: it is.
    """
    if out is not None and out.exists():
        raise Conflict(f"{out} is there already.", remedy="A secret is never overwritten: move it.")
