"""``strongroom repo stats``: what backups take, and what prune could give back."""

from typing import Any

from common.repository.browsing.measuring import BackupSize, Measure, RepositorySize
from common.repository.pruning.prune import PruneSettings
from standalone import console, text
from standalone.commands import new_app
from standalone.keys.source import AnyKeyFile
from standalone.repositories.damage import Met
from standalone.repositories.opening import Place, reading

app = new_app()
_OTHERS = ("config", "keys/", "index/", "snapshots/")


@app.command()
def stats(repo: Place, key_file: AnyKeyFile = None, as_json: console.AsJson = False) -> None:
    """Tell sizes: of each backup and its run, what is shared, what is waste."""
    reader, met = reading(repo, key_file), Met()

    def taken(*names: str) -> int:
        return sum(info.size for name in names for info in reader.session.source.list(name))

    with console.progress("stats") as report:
        found = Measure(reader.fetcher, met.note).run(
            reader.snapshots(),
            taken("packs/"),
            taken(*_OTHERS),
            waste=PruneSettings().waste,
            on_progress=report,
        )
    if as_json:
        console.emit(_document(found))
    else:
        _table(found)
    met.tell()


def _table(found: RepositorySize) -> None:
    console.table(
        ["id", "name", "created", ">size", ">new by its run", ">stored by it", ">alone needs"],
        [
            [
                each.snapshot.id[:12],
                each.snapshot.backup_name,
                text.moment(each.snapshot.created.isoformat()),
                text.size(each.size),
                text.size(each.added),
                text.size(each.stored),
                text.size(each.unique_stored),
            ]
            for each in found.backups
        ],
    )
    console.table(
        ["", ">"],
        [
            ["all backups", text.size(found.size)],
            ["different data", f"{text.size(found.needed)} (1 : {found.deduplication:.2f})"],
            ["as stored", f"{text.size(found.needed_stored)} (1 : {found.compression:.2f})"],
            ["names and metadata", text.size(found.trees)],
            ["on disk", text.size(found.packs + found.others)],
            ["of it in no index", text.size(found.unlisted)],
            ["waste", text.size(found.waste)],
            ["prune would free", text.size(found.prunable)],
        ],
    )


def _document(found: RepositorySize) -> dict[str, Any]:
    return {
        "size_bytes": found.size,
        "needed_bytes": found.needed,
        "needed_stored_bytes": found.needed_stored,
        "tree_bytes": found.trees,
        "pack_bytes": found.packs,
        "unlisted_bytes": found.unlisted,
        "other_bytes": found.others,
        "waste_bytes": found.waste,
        "prunable_bytes": found.prunable,
        "deduplication": round(found.deduplication, 4),
        "compression": round(found.compression, 4),
        "backups": [_backup(each) for each in found.backups],
    }


def _backup(each: BackupSize) -> dict[str, Any]:
    return {
        "id": each.snapshot.id,
        "name": each.snapshot.backup_name,
        "created": each.snapshot.created.isoformat(),
        "size_bytes": each.size,
        "unique_bytes": each.unique,
        "unique_stored_bytes": each.unique_stored,
        "added_bytes": each.added,
        "stored_bytes": each.stored,
    }
