"""``strongroom keys``: new keys, and the writer key that a worker gets instead of the real one."""

from pathlib import Path
from typing import Annotated

import typer

from common.crypto.keys import (
    WRITER_PREFIX,
    derive_writer_key,
    generate_encryption_key,
    write_key,
)
from common.repository.opening import stored_writer_key
from standalone import secretfile
from standalone.commands import new_app
from standalone.commands.keys import machine, recovery
from standalone.keys.source import KeyFile, encryption_key

app = new_app(
    "Make, change and split keys. New ones go to standard output, or into a file that only you can"
    " read (--out)."
)
Out = Annotated[
    Path | None, typer.Option(help="A new file (0600) for the key.", show_default=False)
]


@app.command()
def generate(out: Out = None) -> None:
    """Make a new BACKUP_ENCRYPTION_KEY. Keep a copy of it offline: without it no backup opens."""
    secretfile.give(generate_encryption_key(), out)


@app.command()
def writer(
    repo: Annotated[
        Path | None,
        typer.Option(help="Folder of a repository whose key was changed.", show_default=False),
    ] = None,
    key_file: KeyFile = None,
    out: Out = None,
) -> None:
    """Derive BACKUP_WRITER_KEY: whoever has it can write backups and cannot read any.

    It stays the same when BACKUP_ENCRYPTION_KEY is changed: then --repo finds it.
    """
    key = encryption_key(key_file)
    secretfile.give(
        write_key(WRITER_PREFIX, derive_writer_key(key))
        if repo is None
        else stored_writer_key(repo, key),
        out,
        advice="It can be derived again.",
    )


app.add_typer(recovery.app)
app.add_typer(machine.app)
