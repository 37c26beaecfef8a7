"""Where a command takes the key from: never from an argument, which every process can read."""

import os
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from common.errors import Invalid
from common.keyproviders import Resolver

KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file", help="File that holds the key.  [default: BACKUP_ENCRYPTION_KEY]",
        show_default=False,
    ),
]  # fmt: skip


AnyKeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file", "--recovery-key-file",
        help="File that holds the key, or a recovery key.  [default: BACKUP_ENCRYPTION_KEY]",
        show_default=False,
    ),
]  # fmt: skip


def encryption_key(key_file: Path | None) -> SecretStr:
    """The key, which must be given."""
    key = given_key(key_file)
    if key is None:
        raise Invalid(
            "There is no key.",
            remedy="Set BACKUP_ENCRYPTION_KEY, or name the file that holds it: --key-file.",
        )
    return key


def given_key(key_file: Path | None) -> SecretStr | None:
    """The key in ``key_file``, in BACKUP_ENCRYPTION_KEY, or in BACKUP_ENCRYPTION_KEY_FILE.

    Each may say that Vault or KMS keeps it.
    """
    found = _found(key_file)
    if found is None:
        return None
    with Resolver() as resolver:
        return resolver.resolve("BACKUP_ENCRYPTION_KEY", found)


def _found(key_file: Path | None) -> SecretStr | None:
    if key_file is not None:
        return key_in(key_file)
    if value := os.environ.get("BACKUP_ENCRYPTION_KEY"):
        return SecretStr(value)
    named = os.environ.get("BACKUP_ENCRYPTION_KEY_FILE")
    return key_in(Path(named)) if named else None


def key_in(key_file: Path) -> SecretStr:
    """What the file holds, without the end of its last line."""
    try:
        value = key_file.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Invalid(
            f"The key file {key_file} cannot be read: {reason}.", remedy="Correct the path."
        ) from error
    if not value:
        raise Invalid(f"The key file {key_file} is empty.", remedy="Name another one.")
    return SecretStr(value)
