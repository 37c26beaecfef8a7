"""``strongroom repo``: a repository in a folder, without any service."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from common.errors import Conflict, Corrupt, Invalid
from common.repository.format.config import RepositoryConfig
from common.repository.history import SnapshotInfo
from common.repository.opening import create
from standalone import console, text
from standalone.commands import called, new_app
from standalone.keysource import AnyKeyFile, KeyFile, given_key
from standalone.repositories import Place, reading, refuse_without_key, writing

app = new_app(
    "Work on a repository in a folder, without any service.\n\n"
    "The key comes from BACKUP_ENCRYPTION_KEY or --key-file.",
    called(
        {
            "restore": "restoring", "forget": "forgetting", "prune": "forgetting",
            "ls": "browsing", "find": "browsing", "diff": "browsing", "dump": "browsing",
            "mount": "mounting", "stats": "measuring", "copy": "copying", "repair": "repairing",
        }
    ),
)  # fmt: skip


@app.command()
def init(repo: Place, key_file: KeyFile = None) -> None:
    """Make a new repository."""
    key = given_key(key_file)
    refuse_without_key(key)
    if (repo / "config").exists():
        raise Conflict(f"There is a repository in {repo} already.", remedy="Use it, or move it.")
    create(repo, RepositoryConfig.create(key))
    console.note(f"The repository in {repo} is made. Keep a copy of its key elsewhere.")


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
    from standalone.capturing import back_up  # noqa: PLC0415 - the other commands do without it

    missing = [path for path in paths if _is_missing(path)]
    if missing:
        raise Invalid(f"{missing[0]} does not exist.", remedy="Correct the path.")
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
        console.emit({**_document(info), "warnings": warnings})
        return
    numbers = info.statistics
    console.line(info.id)
    console.note(
        f"{text.count(numbers.entries, 'entry')}, {text.size(numbers.size)} in all,"
        f" {text.size(numbers.added)} new, {text.size(numbers.stored)} stored."
    )


def _document(info: SnapshotInfo) -> dict[str, Any]:
    numbers = info.statistics
    return {
        "id": info.id,
        "name": info.backup_name,
        "station": info.station,
        "created": info.created.isoformat(),
        "finished": info.finished.isoformat(),
        "entries": numbers.entries,
        "size_bytes": numbers.size,
        "added_bytes": numbers.added,
        "stored_bytes": numbers.stored,
        "components": [
            {"name": each.name, "kind": each.kind, "entries": each.entries, "size": each.size}
            for each in info.components
        ],
    }


@app.command()
def snapshots(repo: Place, key_file: AnyKeyFile = None, as_json: console.AsJson = False) -> None:
    """List the backups, oldest first. The writer key is enough."""
    show_snapshots(writing(repo, key_file).snapshots(), as_json=as_json)


def show_snapshots(found: list[SnapshotInfo], *, as_json: bool) -> None:
    """The list, for people or for programs."""
    if as_json:
        console.emit([_document(info) for info in found])
        return
    console.table(
        ["id", "name", "taken", ">entries", ">size", "components"],
        [
            [
                info.id[:12],
                info.backup_name,
                text.moment(info.created.isoformat()),
                info.statistics.entries,
                text.size(info.statistics.size),
                ", ".join(each.name for each in info.components),
            ]
            for info in found
        ],
    )


@app.command()
def check(
    repo: Place,
    read_data: Annotated[
        bool, typer.Option("--read-data", help="Read every byte, not only the structure.")
    ] = False,
    subset: Annotated[
        str | None,
        typer.Option(
            "--read-data-subset",
            metavar="N/M",
            help="Read the N-th of M parts: 1/7 today, 2/7 tomorrow, and all is read in a week.",
            show_default=False,
        ),
    ] = None,
    key_file: AnyKeyFile = None,
    as_json: console.AsJson = False,
) -> None:
    """Look for damage and say what it affects. Exits with 7 where there is any."""
    if read_data and subset is not None:
        raise Invalid("--read-data reads all, --read-data-subset a part.", remedy="Choose one.")
    part = None if subset is None else _part(subset)
    with console.progress("check") as report:
        reader = reading(repo, key_file)
        found = reader.check(read_data=read_data, subset=part, on_progress=report)
    if as_json:
        console.emit({"ok": found.ok, **asdict(found)})
    else:
        from common.repository.findings import told  # noqa: PLC0415 - loaded by now, by a check

        for line in told(found.findings):
            console.line(line)
    looked = f"{text.count(found.objects, 'object')}, {text.size(found.read_bytes)} read"
    if not found.ok:
        raise Corrupt(
            f"{text.count(len(found.findings), 'finding')} ({looked}).",
            remedy="What is not named there can be restored.",
        )
    console.note(f"No damage: {looked}.")


def _part(given: str) -> tuple[int, int]:
    number, _, parts = given.partition("/")
    if not (number.isdecimal() and parts.isdecimal()):
        raise Invalid(f"{given} is not written N/M, as in 1/7.")
    return int(number), int(parts)
