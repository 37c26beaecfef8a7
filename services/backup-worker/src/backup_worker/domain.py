"""What backup-worker decides, without doing any of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.errors import Invalid
from common.messages import RunBackup

_KINDS = {
    "db_full": {"postgres", "sqlite"},
    "db_incremental": {"postgres", "sqlite"},
    "files": {"files"},
    "config": {"config"},
}
"""Which kinds of component a type of backup means; a type that is not here means all."""


def chain_of(message: RunBackup) -> str:
    """The chain that a backup continues: one for each plan of each station."""
    return f"{message.station}/{message.plan}"


def is_incremental(message: RunBackup) -> bool:
    """Whether files that are known to be unchanged need not be read again."""
    return message.backup_type.endswith("incremental")


def choose(message: RunBackup, kinds: Mapping[str, str]) -> list[str]:
    """The names of the components to back up, in the order configured.

    ``kinds`` maps every configured name to its kind. Named components are taken whatever the type
    of the backup; without names the type decides.

    Raises:
        Invalid: a name is not configured here, or nothing is left to back up.
    """
    if message.components:
        unknown = sorted(set(message.components) - set(kinds))
        if unknown:
            raise Invalid(
                f"Station {message.station} has no component {_list(unknown)}.",
                remedy=f"Configured there: {_list(kinds) or 'none'}.",
            )
        return [name for name in kinds if name in message.components]
    wanted = _KINDS.get(message.backup_type)
    chosen = [name for name, kind in kinds.items() if wanted is None or kind in wanted]
    if not chosen:
        raise Invalid(
            f"Station {message.station} has nothing for a backup of type {message.backup_type}.",
            remedy=f"Configured there: {_list(kinds) or 'none'}. Add a component to its file.",
        )
    return chosen


def _list(names: Sequence[str] | Mapping[str, str]) -> str:
    return ", ".join(names)


@dataclass(frozen=True)
class Head:
    """The last snapshot of a chain; counter 0 and no id before the first."""

    counter: int = 0
    snapshot_id: str | None = None


@dataclass(frozen=True)
class Place:
    """Where the next snapshot of a chain goes."""

    counter: int
    previous: str | None
    warning: str = ""


def next_place(known: Head, found: Head) -> Place:
    """The place after both what the table knows and what the repository holds.

    The repository may be ahead: of a service that lost its database, or by the snapshot of a run
    that died before it was recorded. It may never be behind: then the new snapshot still follows
    the one that the table knows, so that the gap can be seen in the repository alone.
    """
    behind = found.counter < known.counter
    replaced = found.counter == known.counter and found.snapshot_id != known.snapshot_id
    if behind or replaced:
        return Place(
            known.counter + 1,
            known.snapshot_id,
            f"Snapshot {known.snapshot_id}, number {known.counter} of its chain, is missing in the"
            " repository: it was removed, or the repository was set back to an older state.",
        )
    return Place(found.counter + 1, found.snapshot_id)
