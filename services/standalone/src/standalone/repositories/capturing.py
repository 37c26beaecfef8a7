"""A backup of some paths by the command line alone, without any service."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import common.repository.run  # noqa: F401 - loaded by now, beside the stretching of the key
from common.components.component import Amount
from common.components.files import FilesComponent
from common.components.names import show
from common.identifiers import uuid7
from common.processors import processors
from common.repository.history import SnapshotInfo
from common.repository.prepared import SnapshotMeta
from common.repository.progress import OnProgress
from common.repository.repository import Repository
from standalone.console import Report
from standalone.repositories.remembered import folder_of

COMPONENT = "files"


def back_up(
    repository: Repository,
    paths: Sequence[Path],
    *,
    name: str | None,
    exclude: Sequence[str],
    report: Report | None,
    reread: bool,
    level: int,
) -> SnapshotInfo:
    """Take the backup; nothing of it is listed before all of it is durable.

    Files that are unchanged since the last backup of these paths are not read again, unless
    ``reread``. ``report`` is told how far it is and of how much; without one nobody finds that out.
    """
    component = FilesComponent.of(COMPONENT, paths, exclude=exclude)
    run_id = uuid7()
    host = os.uname().nodename
    meta = SnapshotMeta(
        backup_id=str(run_id),
        backup_name=name or f"{host}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}",
        chain=f"command/{host}",
        plan="command",
        station=host,
    )
    with (
        _telling(repository, meta.chain, component, report) as tell,
        repository.begin(
            run_id,
            level=level,
            on_progress=tell,
            cache=folder_of(component.roots),
            reread=reread,
            processes=processors(),
        ) as run,
    ):
        with run.component(component.name, component.kind) as sink:
            sink.details = component.capture(sink)
        prepared = run.finish(meta)
    return prepared.commit_next()


@contextmanager
def _telling(
    repository: Repository, chain: str, component: FilesComponent, report: Report | None
) -> Iterator[OnProgress | None]:
    if report is None:
        yield None
        return

    def tell(
        phase: str, done: int, total: int | None, entries: int, current: str, **_: object
    ) -> None:
        del total  # the run has none
        amount = outlook.total(phase, done, entries)
        report(
            phase,
            done,
            amount and amount.size,
            entries,
            current,
            total_entries=amount and amount.entries,
            counting=outlook.counting,
        )

    from common.components.counting import Outlook  # noqa: PLC0415 - only what is watched needs it

    with Outlook([component], _last_amount(repository, chain, component)) as outlook:
        yield tell


def _last_amount(repository: Repository, chain: str, component: FilesComponent) -> Amount | None:
    """How much the last backup of the same paths had."""
    roots = [show(b"/" + root) for root in component.roots]
    for info in reversed(repository.snapshots()):
        for stored in info.components:
            if info.chain == chain and stored.details.get("roots") == roots:
                return Amount(stored.entries, stored.size)
    return None
