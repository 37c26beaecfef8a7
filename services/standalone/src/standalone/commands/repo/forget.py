"""``strongroom repo forget|prune``: old backups go, and their space comes back."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from common.errors import Invalid, NotFound
from common.repository.pruning.retention import Decision, Rules, decide, roots
from common.repository.reader import Reader
from standalone import console, text
from standalone.commands import new_app
from standalone.keys.source import KeyFile
from standalone.repositories.opening import SHORTEST, Place, find, reading

if TYPE_CHECKING:
    from common.repository.pruning.prune import PruneReport

app = new_app()
Snapshots = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SNAPSHOT]...", help="As for restore.", show_default=False),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be forgotten.")]
AndPrune = Annotated[bool, typer.Option("--prune", help="Prune afterwards, as the command does.")]


class _Choice(NamedTuple):
    """A decision on each backup; the ids named that are forgotten already; names of no backup."""

    decisions: list[Decision]
    before: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()


def _rule(kept: str) -> Any:
    return typer.Option(metavar="N", help=f"Keep the {kept}.", show_default=False)


@app.command()
def forget(  # noqa: PLR0913 - one parameter for each option
    repo: Place,
    snapshot: Snapshots = None,
    *,
    keep_last: Annotated[int | None, _rule("last N backups")] = None,
    keep_daily: Annotated[int | None, _rule("newest of each of N days")] = None,
    keep_weekly: Annotated[int | None, _rule("newest of each of N weeks")] = None,
    keep_monthly: Annotated[int | None, _rule("newest of each of N months")] = None,
    keep_yearly: Annotated[int | None, _rule("newest of each of N years")] = None,
    dry_run: DryRun = False,
    reason: Annotated[str, typer.Option(help="Kept in the repository.")] = "",
    and_prune: AndPrune = False,
    key_file: KeyFile = None,
    as_json: console.AsJson = False,
) -> None:
    """Remove backups from the list, with a tombstone: those named, or all that no rule keeps.

    Rules are for each station, plan and set of paths by itself. Days, weeks, months and years
    without a backup do not count. The space comes back with prune.
    """
    counts = (keep_last, keep_daily, keep_weekly, keep_monthly, keep_yearly)
    ruled = any(count is not None for count in counts)
    if bool(snapshot) == ruled:
        raise Invalid(
            "What to forget is either named or left over by rules.",
            remedy="Name backups, or give rules such as --keep-daily 7.",
        )
    rules = Rules(*counts) if ruled else None
    reader = reading(repo, key_file)
    choice = _Choice(decide(reader.snapshots(), rules)) if rules else _named(reader, snapshot or ())
    pruned = None if dry_run else _forget(reader, choice, reason, and_prune=and_prune)
    if as_json:
        console.emit(_document(choice.decisions, pruned, dry_run=dry_run))
    else:
        _show(choice, pruned, dry_run=dry_run, ruled=ruled)
    if choice.unknown:
        raise NotFound(
            f"There is no backup {', '.join(map(repr, choice.unknown))} in the repository.",
            remedy="A name is not known any more once its backup is forgotten. List what is left"
            " with: strongroom repo snapshots REPO",
        )


def _named(reader: Reader, names: Iterable[str]) -> _Choice:
    """What of these is there. The same command, interrupted, may have forgotten some already.

    Raises:
        NotFound: none of them was ever there, as far as is known.
    """
    named, before, missing = set[str](), set[str](), dict[str, NotFound]()
    forgotten = reader.session.history.forgotten()
    for each in names:
        try:
            named.add(find(reader, each).id)
        except NotFound as error:
            known = {one for one in forgotten if len(each) >= SHORTEST and one.startswith(each)}
            before |= known
            if not known:
                missing[each] = error
    if missing and not named and not before:
        raise next(iter(missing.values()))
    decisions = [
        Decision(info, () if info.id in named else ("not named",)) for info in reader.snapshots()
    ]
    return _Choice(decisions, frozenset(before), tuple(missing))


def _forget(
    reader: Reader, choice: _Choice, reason: str, *, and_prune: bool
) -> "PruneReport | None":
    for snapshot_id in choice.before:  # whoever did it may have died before all of it was done
        reader.forget(snapshot_id, reason)
    for each in choice.decisions:
        if not each.reasons:
            reader.forget(each.backup.id, reason)
    return _prune(reader) if and_prune else None


def _show(choice: _Choice, pruned: "PruneReport | None", *, dry_run: bool, ruled: bool) -> None:
    decisions = choice.decisions
    forgotten = [each for each in decisions if not each.reasons]
    console.table(
        ["id", "name", "taken", "station", "plan", "paths", "kept by"],
        [_row(each) for each in (decisions if ruled else forgotten)],
    )
    done = "would be forgotten" if dry_run else "forgotten"
    kept = len(decisions) - len(forgotten)
    console.note(f"{text.count(len(forgotten), 'backup')} {done}, {kept:,} kept.")
    if choice.before:
        console.note(f"{text.count(len(choice.before), 'backup')} had been forgotten before.")
    if pruned is not None:
        _tell(pruned)


def _row(each: Decision) -> tuple[str, ...]:
    info = each.backup
    return (
        info.id[:12],
        info.backup_name,
        text.moment(info.created.isoformat()),
        info.station,
        info.plan,
        ", ".join(_paths(each)),
        ", ".join(each.reasons) or "nothing: forgotten",
    )


def _paths(each: Decision) -> list[str]:
    return [path for component in each.backup.components for path in roots(component.details)]


def _document(
    decisions: list[Decision], pruned: "PruneReport | None", *, dry_run: bool
) -> dict[str, Any]:
    told: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for each in decisions:
        info = each.backup
        told[bool(each.reasons)].append(
            {
                "id": info.id,
                "name": info.backup_name,
                "created": info.created.isoformat(),
                "station": info.station,
                "plan": info.plan,
                "paths": _paths(each),
                "reasons": each.reasons,
            }
        )
    return {
        "dry_run": dry_run,
        "kept": told[True],
        "forgotten": told[False],
        "pruned": None if pruned is None else asdict(pruned),
    }


@app.command()
def prune(repo: Place, key_file: KeyFile = None, as_json: console.AsJson = False) -> None:
    """Give back the space that no backup needs any more, a day after it became free."""
    done = _prune(reading(repo, key_file))
    if as_json:
        console.emit(asdict(done))
    else:
        _tell(done)


def _prune(reader: Reader) -> "PruneReport":
    with console.progress("prune") as report:
        return reader.prune(on_progress=report)


def _tell(done: "PruneReport") -> None:
    console.note(
        f"{text.count(done.removed_packs, 'pack')} removed ({text.size(done.removed_bytes)});"
        f" {text.count(done.retired_packs, 'pack')} retired ({text.size(done.retired_bytes)}),"
        " to be removed after a day."
    )
