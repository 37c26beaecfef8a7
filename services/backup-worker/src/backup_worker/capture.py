"""One attempt at a backup in a process of its own: ``python -m backup_worker.capture``.

It works with the writer key alone. What it says, and when, stands in ``protocol``.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import structlog

from backup_worker.protocol import CaptureSpec, Prepared, Written
from common.childprocess.child import Channel, serve
from common.components.configured import load
from common.components.counting import Outlook
from common.errors import Error
from common.messages import ComponentResult
from common.processors import processors
from common.repository.history import SnapshotInfo
from common.repository.opening import create, open_writer
from common.repository.prepared import Prepared as PreparedRun
from common.repository.prepared import SnapshotMeta
from common.repository.progress import OnProgress
from common.repository.repository import Repository

_COMMIT_WITHIN = 600.0
_WARNINGS_TOLD = 100
_WARNING_LENGTH = 500

log = structlog.stdlib.get_logger(__name__)


def work(channel: Channel) -> Mapping[str, Any]:
    """Adopt what an earlier attempt has written, or capture; then let the service commit."""
    spec = CaptureSpec.model_validate(channel.spec)
    if spec.config is not None:
        create(spec.repository, base64.b64decode(spec.config, validate=True))
    repository = open_writer(spec.repository, spec.writer_key)
    adopted = _adopt(repository, spec)
    clean = tuple(_clear(repository, spec))
    if adopted is not None:
        written = _written(repository, adopted)
        channel.send("prepared", **dict(Prepared(adopted=written, clean_runs=clean)))
        return {}
    prepared = _capture(repository, spec, channel)
    channel.send("prepared", **dict(Prepared(clean_runs=clean)))
    _commit(repository, prepared, spec, channel)
    return {}


def _adopt(repository: Repository, spec: CaptureSpec) -> SnapshotInfo | None:
    if not spec.earlier_runs:
        return None
    runs = set(spec.earlier_runs)
    return next((info for info in repository.snapshots() if info.run_id in runs), None)


def _clear(repository: Repository, spec: CaptureSpec) -> Iterator[UUID]:
    """Remove the litter of dead runs, which is not what a snapshot needs.

    A run that cannot be cleared is left for the next time.
    """
    for run_id in (*spec.earlier_runs, *spec.dead_runs):
        try:
            repository.abandon(run_id)
        except Error as error:
            log.warning("run.not_cleared", run=str(run_id), code=error.code)
        else:
            yield run_id


def _capture(repository: Repository, spec: CaptureSpec, channel: Channel) -> PreparedRun:
    configured = load(spec.components_file)
    components = [configured[name] for name in spec.components]
    with (
        Outlook(components, spec.expected) as outlook,
        repository.begin(
            spec.run_id,
            compression=spec.compression_type,
            level=spec.compression_level,
            on_progress=_telling(channel, outlook),
            cache=spec.cache,
            reread=spec.reread,
            processes=processors() if spec.processes is None else spec.processes,
        ) as run,
    ):
        for component in components:
            with run.component(component.name, component.kind) as sink:
                sink.details = component.capture(sink)
        return run.finish(
            SnapshotMeta(
                backup_id=spec.backup_id,
                backup_name=spec.backup_name,
                chain=spec.chain,
                plan=spec.plan,
                station=spec.station,
                backup_type=spec.backup_type,
                created=spec.created,
            )
        )


def _telling(channel: Channel, outlook: Outlook) -> OnProgress:
    """Tells the service how far the run is, and of how much."""

    def tell(
        phase: str, done: int, total: int | None, entries: int, current: str, **_: object
    ) -> None:
        del total  # the run has none
        amount = outlook.total(phase, done, entries)
        channel.progress(
            phase,
            done_bytes=done,
            total_bytes=amount and amount.size,
            entries=entries,
            total_entries=amount and amount.entries,
            counting=outlook.counting,
            current=current,
        )

    return tell


def _commit(
    repository: Repository, prepared: PreparedRun, spec: CaptureSpec, channel: Channel
) -> None:
    """Answer the service's transaction; it may ask for the head again after a lost connection."""
    while True:
        message = channel.receive("head", "commit", within=_COMMIT_WITHIN)
        if message["kind"] == "head":
            head = repository.head(spec.chain)
            channel.send("head", counter=head.counter, snapshot_id=head.snapshot)
            continue
        channel.check()
        snapshot = prepared.commit(message["counter"], message["previous"])
        channel.send("written", **dict(_written(repository, snapshot)))
        return


def _written(repository: Repository, info: SnapshotInfo) -> Written:
    components = tuple(
        ComponentResult(
            name=component.name,
            kind=component.kind,
            entries=component.entries,
            size_bytes=component.size,
            warnings=_told(info.warnings.get(component.name, ()), component.warnings),
            details=component.details,
        )
        for component in info.components
    )
    return Written(
        snapshot_id=info.id,
        chain=info.chain,
        counter=info.counter,
        components=components,
        entries=info.statistics.entries,
        size_bytes=info.statistics.size,
        added_bytes=info.statistics.added,
        stored_bytes=info.statistics.stored,
        encrypted=repository.config.encrypted,
        warnings=tuple(
            f"{component.name}: {warning}"
            for component in components
            for warning in component.warnings
        ),
    )


def _told(texts: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Warnings as an event carries them. An adopted snapshot's stand sealed in the backup alone."""
    shown = tuple(text[:_WARNING_LENGTH] for text in texts[:_WARNINGS_TOLD])
    rest = count - len(shown)
    if rest <= 0:
        return shown
    return (*shown, f"{rest} {'more ' if shown else ''}warnings, kept in the backup itself.")


if __name__ == "__main__":
    serve(work)
