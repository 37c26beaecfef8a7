"""Making backups without what they have lost, in the place of damaged ones."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from common.repository.checking.check import Checker
from common.repository.checking.treecheck import PackWatch
from common.repository.damage import Damaged
from common.repository.entry import show_path
from common.repository.format.snapshot import StoredComponent
from common.repository.history import SnapshotInfo
from common.repository.prepared import SnapshotMeta
from common.repository.progress import OnProgress
from common.repository.reader import Reader
from common.repository.reading.fetch import Fetcher
from common.repository.reading.trees import warnings
from common.repository.repairing.index import repair_index
from common.repository.repairing.losses import Loss, Sieve
from common.repository.repairing.salvage import salvage
from common.repository.run import ComponentRecorder

CHAIN = "repairs"
_RUNS = UUID("6f1b6a52-9c7e-4d0e-8f61-4a5d9d0d2b11")

OnLoss = Callable[[SnapshotInfo, Loss], None]


@dataclass(slots=True)
class SnapshotRepair:
    """What was found and done: damaged backups with the number of losses, those made in their
    place, packs that were set aside, damaged backups that were forgotten.
    """

    damaged: list[tuple[SnapshotInfo, int]] = field(default_factory=list)
    made: list[SnapshotInfo] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)


def find_losses(
    reader: Reader, on_loss: OnLoss, *, on_progress: OnProgress | None = None
) -> SnapshotRepair:
    """Read everything, and tell what each backup has lost. Changes nothing."""
    return _look(reader, on_loss, on_progress)[0]


def repair_snapshots(
    reader: Reader, on_loss: OnLoss, *, forget: bool, on_progress: OnProgress | None = None
) -> SnapshotRepair:
    """Make a backup without what is lost for each damaged one; keep that, or ``forget`` it.

    Repeatable: what was made before is not made again.

    Raises:
        Conflict: a prune, a deletion or another repair is going on.
    """
    # What only the index does not know is not lost.
    repair_index(reader.session, reader.keyring(), on_progress=on_progress)
    reader.reload()
    report, fetcher, watch = _look(reader, on_loss, on_progress)
    # First what is sound into packs of its own: else what is made here needs the damaged ones.
    if any(not error.missing for error, _ in watch.damaged.values()):
        report.aside = salvage(reader.session, fetcher, watch)
        reader.reload()
    sieve = Sieve(reader.fetcher, PackWatch())
    for info, _ in report.damaged:
        made = _make(reader, sieve, info)
        if made is not None:
            report.made.append(made)
        if forget:
            reader.forget(info.id, "damaged, and repaired", chain=CHAIN)
            report.forgotten.append(info.id)
    return report


def _look(
    reader: Reader, on_loss: OnLoss, on_progress: OnProgress | None
) -> tuple[SnapshotRepair, Fetcher, PackWatch]:
    checker = Checker(
        reader.session,
        reader.keyring(),
        read_data=True,
        snapshots=None,
        heads={},
        on_progress=on_progress,
    )
    fetcher, watch = checker.survey()
    report, sieve = SnapshotRepair(), Sieve(fetcher, watch)
    for info in reader.snapshots():
        count = 0
        for loss in sieve.losses(info):
            on_loss(info, loss)
            count += 1
        if count:
            report.damaged.append((info, count))
    return report, fetcher, watch


def _make(reader: Reader, sieve: Sieve, info: SnapshotInfo) -> SnapshotInfo | None:
    """The backup in the place of ``info``; None when an earlier repair has made it."""
    run_id = uuid5(_RUNS, info.id)
    if reader.find_run(run_id) is not None:
        return None
    reader.abandon(run_id)
    with reader.begin(run_id) as run:
        for component in info.components:
            with run.component(component.name, component.kind) as sink:
                sink.details = component.details
                _fill(sink, sieve, component)
                for text in _warnings(reader, component):
                    sink.warn(text)
        prepared = run.finish(
            SnapshotMeta(
                backup_id=str(run_id),
                backup_name=f"{info.backup_name} (repaired)",
                chain=CHAIN,
                plan=info.plan,
                station=info.station,
                backup_type=info.backup_type,
                created=info.created,
            )
        )
    return prepared.commit_next()


def _fill(sink: ComponentRecorder, sieve: Sieve, component: StoredComponent) -> None:
    for part in sieve.sift(component):
        if isinstance(part, Loss):
            shown = show_path(part.path) or "."
            what = f"What stood after {shown}" if part.all_after else shown
            sink.warn(f"{what} was lost: {part.reason}")
        else:
            sink.add_stored(part)


def _warnings(reader: Reader, component: StoredComponent) -> Iterator[str]:
    def skip(_error: Damaged) -> None:
        """Told as a loss already."""

    yield from warnings(reader.fetcher, component.tree, skip)
