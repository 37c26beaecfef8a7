"""``strongroom repo restore``."""

from pathlib import Path
from typing import Annotated

import typer

from standalone import console, text
from standalone.commands import new_app
from standalone.keys.source import AnyKeyFile
from standalone.repositories.opening import Place, Snapshot, find, reading
from standalone.repositories.restoring import document, saying_what_stays, tell_what_lacks
from standalone.repositories.restoring import restore as restore_backup

app = new_app()


@app.command()
def restore(
    repo: Place,
    snapshot: Snapshot,
    target: Annotated[Path, typer.Argument(help="Folder to restore into.")],
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH]...", help="Only these.", show_default=False),
    ] = None,
    key_file: AnyKeyFile = None,
    as_json: console.AsJson = False,
) -> None:
    """Restore a backup below TARGET, under its whole paths. Exits with 1 after warnings.

    Repeat it where it ended too early, for whatever reason: it goes on with what is at TARGET.
    """
    reader = reading(repo, key_file)
    opened = reader.snapshot(find(reader, snapshot).id)
    names = [each.name for each in opened.info.components]
    folders = {name: target if len(names) == 1 else target / name for name in names}
    with saying_what_stays():
        with console.progress("restore") as report:
            done = restore_backup(opened, folders, paths or (), report)
        for warning in (warnings := [x for each in done for x in each.outcome.warnings]):
            console.warn(warning)
        if as_json:
            console.emit(document(opened.info, done))
        entries = sum(each.outcome.entries for each in done)
        size = sum(each.outcome.size_bytes for each in done)
        console.note(f"{text.count(entries, 'entry')}, {text.size(size)} restored to {target}.")
        tell_what_lacks(done)
    if warnings:
        raise typer.Exit(1)
