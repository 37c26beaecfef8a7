"""``strongroom keys``: new keys, and the writer key that a worker gets instead of the real one."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from common.crypto.keys import (
    WRITER_PREFIX,
    derive_writer_key,
    generate_encryption_key,
    write_key,
)
from common.errors import Conflict, Invalid
from standalone import console, secretfile
from standalone.commands import new_app
from standalone.keysource import KeyFile, encryption_key

app = new_app(
    "Make keys. They go to standard output, or into a file that only you can read (--out)."
)
Out = Annotated[
    Path | None, typer.Option(help="A new file (0600) for the key.", show_default=False)
]


@app.command()
def generate(out: Out = None) -> None:
    """Make a new BACKUP_ENCRYPTION_KEY. Keep a copy of it offline: without it no backup opens."""
    _give(generate_encryption_key(), out)


@app.command()
def writer(key_file: KeyFile = None, out: Out = None) -> None:
    """Derive BACKUP_WRITER_KEY: whoever has it can write backups and cannot read any."""
    _give(write_key(WRITER_PREFIX, derive_writer_key(encryption_key(key_file))), out)


def _give(key: str, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(f"{key}\n")
        return
    if out.exists():
        raise Conflict(f"{out} is there already.", remedy="A key is never overwritten: move it.")
    try:
        secretfile.write(out, f"{key}\n")
    except OSError as error:
        raise Invalid(f"{out} cannot be written: {error.strerror}.") from error
    console.note(f"The key is in {out}. Keep a copy of it offline.")
