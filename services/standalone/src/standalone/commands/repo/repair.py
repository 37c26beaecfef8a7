"""``strongroom repo repair index|packs|snapshots``."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated, Any

import typer

from common.errors import Corrupt
from common.repository.checking.findings import Finding, told
from common.repository.history import SnapshotInfo
from common.repository.repairing.configuration import repair_config
from common.repository.repairing.fetching import repair_objects
from common.repository.repairing.index import repair_index
from common.repository.repairing.losses import Loss
from common.repository.repairing.snapshots import (
    SnapshotRepair,
    find_losses,
    repair_snapshots,
)
from standalone import console, text
from standalone.commands import new_app
from standalone.keys.source import KeyFile, given_key
from standalone.repositories import destination
from standalone.repositories.opening import Place, reading

app = new_app(
    "Mend a damaged repository: the index, then what another copy still has, then the rest.\n\n"
    "Each may be interrupted and begun again, and ends with a check: exit code 7 says that some"
    " damage remains, and what."
)


@app.command()
def index(repo: Place, key_file: KeyFile = None, as_json: console.AsJson = False) -> None:
    """Make the index anew from the packs."""
    reader = reading(repo, key_file)
    with console.progress("repair") as report:
        done = repair_index(reader.session, reader.keyring(), on_progress=report)
        reader.reload()
        remaining = reader.check(read_data=False, on_progress=report).findings
    for message in done.unreadable.values():
        console.warn(message)
    if as_json:
        console.emit({**asdict(done), "remaining": _findings(remaining)})
    else:
        console.note(
            f"{text.count(done.listed, 'pack')} listed, {done.found} of them not listed before;"
            f" {done.dropped} dropped that are gone;"
            f" {text.count(done.damaged_segments, 'damaged segment')} replaced."
        )
    _end(remaining, as_json=as_json)


@app.command()
def packs(
    repo: Place,
    other: Annotated[
        str, typer.Option("--from", metavar="OTHER", help="A folder, or file:///its/path.")
    ],
    key_file: KeyFile = None,
    as_json: console.AsJson = False,
) -> None:
    """Fetch what is damaged or missing (of any kind) from another copy."""
    with destination.opened(other) as source, console.progress("repair") as report:
        if repair_config(repo, source, given_key(key_file)):
            console.note(f"config fetched from {other}.")
        reader = reading(repo, key_file)
        done = repair_objects(reader, source, on_progress=report)
    for name, message in done.failed.items():
        console.warn(f"{name}: {message}")
    if as_json:
        console.emit(
            {
                "fetched": done.fetched,
                "failed": done.failed,
                "index_made_anew": done.index is not None,
                "remaining": _findings(done.remaining),
            }
        )
    else:
        console.note(f"{text.count(len(done.fetched), 'object')} fetched from {other}.")
    _end(done.remaining, as_json=as_json)


@app.command()
def snapshots(
    repo: Place,
    *,
    write: Annotated[
        bool, typer.Option("--write", help="Make a backup of what is left of each damaged one.")
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="With --write: forget the damaged ones.")
    ] = False,
    key_file: KeyFile = None,
    as_json: console.AsJson = False,
) -> None:
    """Say exactly what damaged backups have lost. Changes nothing without --write."""
    reader, lost = reading(repo, key_file), list[dict[str, Any]]()

    def tell(info: SnapshotInfo, loss: Loss) -> None:
        if as_json:
            lost.append(_loss(info, loss))
        else:
            console.line(f"{info.backup_name or info.id[:12]}, {loss}")

    with console.progress("repair") as report:
        if write:
            done = repair_snapshots(reader, tell, forget=forget, on_progress=report)
        else:
            done = find_losses(reader, tell, on_progress=report)
        reader.reload()
        remaining = reader.check(read_data=False).findings if write else ()
    if as_json:
        console.emit({**_repair(done), "lost": lost, "remaining": _findings(remaining)})
    else:
        _tell(done)
    if done.damaged and not write:
        raise Corrupt(
            f"{text.count(len(done.damaged), 'backup')} damaged.",
            remedy="First look for another copy (repair packs --from), then use --write.",
        )
    _end(remaining, as_json=as_json)


def _tell(done: SnapshotRepair) -> None:
    for info, count in done.damaged:
        console.note(f"{info.backup_name} ({info.id[:12]}) has lost {count}.")
    for info in done.made:
        console.note(f"Made: {info.backup_name} ({info.id[:12]}).")
    if done.aside:
        packs = text.count(len(done.aside), "damaged pack")
        console.note(f"{packs} set aside in the folder tmp; prune removes them after a week.")
    if not done.damaged:
        console.note("No backup has lost anything.")


def _end(remaining: Iterable[Finding], *, as_json: bool) -> None:
    left = list(remaining)
    if not left:
        console.note("The check at the end finds no damage.")
        return
    if not as_json:
        for line in told(left):
            console.line(line)
    raise Corrupt(
        f"{text.count(len(left), 'finding')} left.",
        remedy="docs/how-to/repair.md says what can be done next.",
    )


def _repair(done: SnapshotRepair) -> dict[str, Any]:
    return {
        "damaged": [
            {"id": info.id, "name": info.backup_name, "lost": count} for info, count in done.damaged
        ],
        "made": [{"id": info.id, "name": info.backup_name} for info in done.made],
        "forgotten": done.forgotten,
        "aside": done.aside,
    }


def _loss(info: SnapshotInfo, loss: Loss) -> dict[str, Any]:
    return {
        "id": info.id,
        "name": info.backup_name,
        "component": loss.component,
        "path": loss.path.decode("utf-8", "backslashreplace"),
        "all_after": loss.all_after,
        "object": loss.object,
        "reason": loss.reason,
    }


def _findings(found: Iterable[Finding]) -> list[dict[str, Any]]:
    return [
        {"object": x.object, "kind": x.kind, "message": x.message, "affects": x.affects}
        for x in found
    ]
