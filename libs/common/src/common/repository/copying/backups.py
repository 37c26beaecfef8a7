"""Copying backups into a repository with other keys: read here, written there."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from common.errors import Corrupt
from common.repository.damage import Damaged
from common.repository.entry import EntryType
from common.repository.format.blockreader import StoredEntry
from common.repository.format.codec import Compression
from common.repository.format.snapshot import StoredComponent
from common.repository.history import SnapshotInfo
from common.repository.prepared import SnapshotMeta
from common.repository.progress import OnProgress
from common.repository.reader import Reader
from common.repository.reading.source import ComponentSource
from common.repository.reading.streaming import as_stream
from common.repository.reading.trees import entries
from common.repository.repository import Repository
from common.repository.run import ComponentRecorder, Run

_RUNS = UUID("0d3c6f0e-52a5-4c52-9a35-0a6cf2f4f1ce")


@dataclass(slots=True)
class BackupCopies:
    """Backups made there, those that were copied before, and those that are damaged here."""

    made: list[SnapshotInfo] = field(default_factory=list)
    present: list[SnapshotInfo] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def copy_backups(
    reader: Reader,
    backups: Collection[SnapshotInfo],
    target: Repository,
    *,
    compression: Compression = "zstd",
    level: int = 3,
    on_progress: OnProgress | None = None,
) -> BackupCopies:
    """Write these backups into another repository, under its keys; each once, also when killed.

    They get chains of their own there. What a repository has already is not stored twice; a backup
    that was forgotten there is not brought back. A damaged backup is left out whole.
    """
    report = BackupCopies()
    done = target.session.history.runs()
    for info in backups:
        run_id = uuid5(_RUNS, f"{info.id} {target.id}")
        if run_id in done:
            report.present.append(info)
            continue
        target.abandon(run_id)
        try:
            with target.begin(
                run_id, compression=compression, level=level, on_progress=on_progress
            ) as run:
                made = _copy(reader, info, run)
        except Corrupt as error:
            report.failed[info.id] = error.message
        else:
            report.made.append(made)
    return report


def _copy(reader: Reader, info: SnapshotInfo, run: Run) -> SnapshotInfo:
    for component in info.components:
        source = ComponentSource(reader.fetcher, component)
        with run.component(component.name, component.kind) as sink:
            sink.details = component.details
            for entry in _entries(reader, component):
                _add(sink, source, entry)
            for text in source.warnings():
                sink.warn(text)
    meta = SnapshotMeta(
        backup_id=info.backup_id,
        backup_name=info.backup_name,
        chain=f"copy/{reader.id[:16]}/{info.chain}",
        plan=info.plan,
        station=info.station,
        backup_type=info.backup_type,
        created=info.created,
    )
    return run.finish(meta).commit_next()


def _entries(reader: Reader, component: StoredComponent) -> Iterator[StoredEntry]:
    def fail(error: Damaged) -> None:
        raise error

    return entries(reader.fetcher, component.tree, fail)


def _add(sink: ComponentRecorder, source: ComponentSource, entry: StoredEntry) -> None:
    if entry.type is not EntryType.FILE or not entry.content.size:
        sink.add(entry)
    elif entry.extents is None:
        sink.add_stream(entry, as_stream(source.data(entry)))
    else:
        sink.add_regions(entry, as_stream(source.data(entry)))
