"""The text of the encryption key, from where its user has put it."""

import os
from pathlib import Path

from common.errors import Invalid


def key_text(key_file: Path | None) -> str | None:
    """What is in ``key_file``, in BACKUP_ENCRYPTION_KEY, or in BACKUP_ENCRYPTION_KEY_FILE."""
    if key_file is not None:
        return text_in(key_file)
    if value := os.environ.get("BACKUP_ENCRYPTION_KEY"):
        return value
    named = os.environ.get("BACKUP_ENCRYPTION_KEY_FILE")
    return text_in(Path(named)) if named else None


def text_in(key_file: Path) -> str:
    """What the file holds, without the end of its last line.

    Raises:
        Invalid: it cannot be read, or there is nothing in it.
    """
    try:
        value = key_file.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Invalid(
            f"The key file {key_file} cannot be read: {reason}.", remedy="Correct the path."
        ) from error
    if not value:
        raise Invalid(f"The key file {key_file} is empty.", remedy="Name another one.")
    return value
