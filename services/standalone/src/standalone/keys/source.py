"""Where a command takes the key from: never from an argument, which every process can read."""

from pathlib import Path
from typing import Annotated

import typer

from common.crypto.keys import Hidden, HiddenText
from common.crypto.references import Reference
from common.errors import Invalid
from standalone.keys.text import key_text, text_in

_SETTING = "BACKUP_ENCRYPTION_KEY"

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


def encryption_key(key_file: Path | None) -> Hidden:
    """The key, which must be given."""
    key = given_key(key_file)
    if key is None:
        raise Invalid(
            "There is no key.",
            remedy="Set BACKUP_ENCRYPTION_KEY, or name the file that holds it: --key-file.",
        )
    return key


def given_key(key_file: Path | None) -> Hidden | None:
    """The key in ``key_file``, in BACKUP_ENCRYPTION_KEY, or in BACKUP_ENCRYPTION_KEY_FILE.

    Each may say that Vault or KMS keeps it.
    """
    found = key_text(key_file)
    if found is None:
        return None
    if Reference.parse(_SETTING, found) is None:
        return HiddenText(found)
    from pydantic import SecretStr  # noqa: PLC0415 - takes long to load, and seldom needed

    from common.keyproviders import Resolver  # noqa: PLC0415 - the same

    with Resolver() as resolver:
        return resolver.resolve(_SETTING, SecretStr(found))


def key_in(key_file: Path) -> Hidden:
    """What the file holds. Errors as of ``text_in``."""
    return HiddenText(text_in(key_file))
