"""``strongroom repo copy``."""

from pathlib import Path
from typing import Annotated

import typer

from common.errors import Corrupt
from common.repository.copying.backups import copy_backups
from common.repository.copying.objects import copy_objects, is_same_repository, select
from common.repository.history import SnapshotInfo
from common.repository.reader import Reader
from common.storage.local import LocalDirectory
from standalone import console, text
from standalone.commands import new_app
from standalone.keys.source import KeyFile
from standalone.repositories.opening import Place, find, reading

app = new_app()


@app.command()
def copy(
    repo: Place,
    other: Annotated[Path, typer.Argument(metavar="OTHER", help="Folder of the other one.")],
    *,
    snapshot: Annotated[
        list[str] | None, typer.Option(help="Only this; may be repeated.", show_default=False)
    ] = None,
    other_key_file: Annotated[
        Path | None,
        typer.Option(help="File with the key of OTHER.  [default: the same]", show_default=False),
    ] = None,
    key_file: KeyFile = None,
    as_json: console.AsJson = False,
) -> None:
    """Copy backups into another folder; what is there already is not copied again.

    A folder that is empty or not there yet, or a copy of this repository, gets its objects as they
    are. A repository with other keys gets the backups read here and written anew there. Exits with
    7 where something is damaged here and was left out.

    A copy of chosen backups holds no record of the others: check names them as removed there.
    While objects are copied as they are, OTHER is locked: prune, forget, a change of keys or
    another copy there waits half a minute and is then refused. Backups into it go on.
    """
    reader = reading(repo, key_file)
    chosen = [find(reader, each) for each in snapshot] if snapshot else None
    target = LocalDirectory(other)
    if is_same_repository(reader.session, target):
        failed = _objects(reader, target, chosen, as_json=as_json)
    else:
        failed = _backups(reader, other, other_key_file or key_file, chosen, as_json=as_json)
    for message in failed.values():
        console.warn(message)
    if failed:
        raise Corrupt(
            f"{len(failed)} could not be copied: damaged here.",
            remedy=f"See what they affect: strongroom repo check {repo} --read-data",
        )


def _objects(
    reader: Reader, target: LocalDirectory, chosen: list[SnapshotInfo] | None, *, as_json: bool
) -> dict[str, str]:
    only = None if chosen is None else select(reader, chosen)
    with console.progress("copy") as report:
        done = copy_objects(reader.session, target, only=only, on_progress=report)
    if as_json:
        console.emit(
            {
                "mode": "objects",
                "copied": done.copied,
                "copied_bytes": done.copied_bytes,
                "present": done.present,
                "failed": done.failed,
            }
        )
    else:
        console.note(
            f"{text.count(done.copied, 'object')} copied ({text.size(done.copied_bytes)}),"
            f" {done.present:,} there already."
        )
    return done.failed


def _backups(
    reader: Reader,
    other: Path,
    key_file: Path | None,
    chosen: list[SnapshotInfo] | None,
    *,
    as_json: bool,
) -> dict[str, str]:
    target = reading(other, key_file)
    backups = reader.snapshots() if chosen is None else chosen
    with console.progress("copy") as report:
        done = copy_backups(reader, backups, target, on_progress=report)
    if as_json:
        console.emit(
            {
                "mode": "backups",
                "made": [info.id for info in done.made],
                "present": [info.id for info in done.present],
                "failed": done.failed,
            }
        )
    else:
        console.note(
            f"{text.count(len(done.made), 'backup')} written under the other keys,"
            f" {len(done.present)} there already."
        )
    return done.failed
