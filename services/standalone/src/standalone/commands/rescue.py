"""``strongroom rescue``: a repository of the platform, with nothing left but the key."""

from pathlib import Path
from typing import Annotated

import typer

from common.errors import NotFound
from standalone import console, text
from standalone.commands import new_app
from standalone.keys.source import AnyKeyFile
from standalone.repositories.listed import show_snapshots
from standalone.repositories.opening import Place, Snapshot, find, reading
from standalone.repositories.restoring import Restored, document, saying_what_stays, tell_what_lacks
from standalone.repositories.restoring import restore as restore_backup

app = new_app(
    "Restore from a repository when every service and database is lost.\n\n"
    "Needs the repository's folder (or any copy of it) and the key, from BACKUP_ENCRYPTION_KEY or"
    " --key-file."
)


@app.command("list")
def list_backups(repo: Place, key_file: AnyKeyFile = None, as_json: console.AsJson = False) -> None:
    """List the backups, oldest first."""
    show_snapshots(reading(repo, key_file).snapshots(), as_json=as_json)


@app.command()
def restore(
    repo: Place,
    snapshot: Snapshot,
    target: Annotated[Path, typer.Argument(help="Folder to restore into.")],
    *,
    component: Annotated[
        list[str] | None, typer.Option(help="Only these; may be repeated.", show_default=False)
    ] = None,
    path: Annotated[
        list[str] | None, typer.Option(help="Only these; may be repeated.", show_default=False)
    ] = None,
    key_file: AnyKeyFile = None,
    as_json: console.AsJson = False,
) -> None:
    """Restore each component into TARGET/COMPONENT; a database as the archive of its own tools."""
    reader = reading(repo, key_file)
    opened = reader.snapshot(find(reader, snapshot).id)
    present = [each.name for each in opened.info.components]
    unknown = sorted(set(component or ()) - set(present))
    if unknown:
        raise NotFound(
            f"The backup has no component {', '.join(unknown)}.",
            remedy=f"It has: {', '.join(present)}.",
        )
    folders = {name: target / name for name in component or present}
    with saying_what_stays():
        with console.progress("restore") as report:
            done = restore_backup(opened, folders, path or (), report)
        if as_json:
            console.emit(document(opened.info, done))
        else:
            _show(done)
        tell_what_lacks(done)
    if any(each.outcome.warnings for each in done):
        raise typer.Exit(1)


def _show(done: list[Restored]) -> None:
    console.table(
        ["component", "kind", ">entries", ">size", "folder"],
        [
            [x.name, x.kind, x.outcome.entries, text.size(x.outcome.size_bytes), x.folder]
            for x in done
        ],
    )
    for each in done:
        for warning in each.outcome.warnings:
            console.warn(f"{each.name}: {warning}")
        if each.kind == "postgres":
            archives = " ".join(str(path) for path in sorted(each.folder.glob("*.dump")))
            console.note(f"Load {each.name} with: pg_restore --no-owner --dbname=NEW {archives}")
