"""Backups as the command line lists them."""

from typing import Any

from common.repository.history import SnapshotInfo
from standalone import console, text


def document(info: SnapshotInfo) -> dict[str, Any]:
    """A backup, for programs."""
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


def show_snapshots(found: list[SnapshotInfo], *, as_json: bool) -> None:
    """The list, for people or for programs."""
    if as_json:
        console.emit([document(info) for info in found])
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
