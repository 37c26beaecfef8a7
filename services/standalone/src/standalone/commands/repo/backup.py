"""``strongroom repo backup``."""

from pathlib import Path
from typing import Annotated

import typer

from common.errors import Invalid
from common.repository.history import SnapshotInfo
from standalone import console, text
from standalone.commands import new_app
from standalone.keys.source import KeyFile
from standalone.repositories.capturing import back_up
from standalone.repositories.listed import document
from standalone.repositories.opening import Place, writing

app = new_app()


@app.command()
def backup(
    repo: Place,
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="What to back up.", readable=False)
    ],
    *,
    name: Annotated[str | None, typer.Option(help="Else one is made.", show_default=False)] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="Pattern as in .gitignore; may be repeated.", show_default=False),
    ] = None,
    read_all: Annotated[
        bool, typer.Option("--no-cache", help="Read files that look unchanged, too.")
    ] = False,
    level: Annotated[
        int, typer.Option(min=1, max=19, help="Of zstd: higher is smaller and slower.")
    ] = 3,
    key_file: KeyFile = None,
    as_json: console.AsJson = False,
) -> None:
    """Back up files and folders. Exits with 1 where something had to be left out."""
    missing = [path for path in paths if _is_missing(path)]
    if missing:
        raise Invalid(f"{missing[0]} does not exist.", remedy="Correct the path.")
    if not (name or "").isprintable():
        raise Invalid("A backup has a printable name.", remedy="Choose another --name.")
    repository = writing(repo, key_file)
    with console.progress("backup") as report:
        info = back_up(
            repository,
            paths,
            name=name,
            exclude=exclude or (),
            report=report if console.is_watched() else None,
            reread=read_all,
            level=level,
        )
    warnings = [each for texts in info.warnings.values() for each in texts]
    _show(info, as_json=as_json, warnings=warnings)
    if warnings:
        raise typer.Exit(1)


def _is_missing(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False  # what is wrong with it is told when it is read
    return False


def _show(info: SnapshotInfo, *, as_json: bool, warnings: list[str]) -> None:
    for warning in warnings:
        console.warn(warning)
    if as_json:
        console.emit({**document(info), "warnings": warnings})
        return
    numbers = info.statistics
    console.line(info.id)
    console.note(
        f"{text.count(numbers.entries, 'entry')}, {text.size(numbers.size)} in all,"
        f" {text.size(numbers.added)} new, {text.size(numbers.stored)} stored."
    )
