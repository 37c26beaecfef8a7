"""``strongroom repo mount``: all backups as folders, to look into and copy out of."""

from pathlib import Path
from typing import Annotated

import typer

from common.repository.browsing.filesystem import FileSystem
from standalone import console, text
from standalone.commands import new_app
from standalone.keys.source import AnyKeyFile
from standalone.repositories.damage import Met
from standalone.repositories.mounted import library, show
from standalone.repositories.opening import Place, reading

app = new_app()


@app.command()
def mount(
    repo: Place,
    mountpoint: Annotated[Path, typer.Argument(help="An empty folder.")],
    *,
    allow_other: Annotated[
        bool, typer.Option("--allow-other", help="Let other users look as well.")
    ] = False,
    key_file: AnyKeyFile = None,
) -> None:
    """Show the backups that are there now as folders, read-only, until unmounted or Ctrl-C."""
    fuse = library()
    # FUSE leaves the current folder.
    reader, met = reading(repo.resolve(), key_file), Met()
    found = reader.snapshots()
    files = FileSystem(reader.fetcher, found, met.note)
    console.note(
        f"{text.count(len(found), 'backup')} in {mountpoint}, until Ctrl-C or: umount {mountpoint}"
    )
    show(fuse, files, mountpoint, name=str(repo), for_others=allow_other)
    met.tell()
