"""The process that holds the encryption key: ``python -m restore_worker.session``.

It opens the repository and does one piece of work. What it says stands in ``protocol``.
"""

from collections.abc import Mapping
from typing import Any

from common.childprocess.child import Channel, serve
from common.repository.opening import open_reader
from common.repository.reader import Reader
from restore_worker.protocol import (
    Checked,
    DeleteSpec,
    Opening,
    RestoreSpec,
    VerifySpec,
)
from restore_worker.restoring import restore

_GO_WITHIN = 120.0


def work(channel: Channel) -> Mapping[str, Any]:
    """What the spec asks for."""
    match channel.spec["work"]:
        case "restore":
            spec = RestoreSpec.model_validate(channel.spec)
            return dict(restore(_open(spec), spec, channel))
        case "verify":
            return dict(_verify(VerifySpec.model_validate(channel.spec), channel))
        case _:
            _delete(DeleteSpec.model_validate(channel.spec), channel)
            return {}


def _open(spec: Opening) -> Reader:
    return open_reader(spec.repository, spec.encryption_key)


def _verify(spec: VerifySpec, channel: Channel) -> Checked:
    """Findings name what they affect; a snapshot that is not there is one of them."""

    def tell(
        phase: str, done: int, total: int | None, entries: int, current: str, **totals: object
    ) -> None:
        channel.progress(
            phase, done_bytes=done, total_bytes=total, entries=entries, current=current, **totals
        )

    report = _open(spec).check(
        read_data=spec.read_data, snapshots=[spec.snapshot_id], on_progress=tell
    )
    return Checked(
        objects=report.objects,
        read_bytes=report.read_bytes,
        findings=tuple(
            f"{finding.object}: {finding.message}" + _affected(finding.affects)
            for finding in report.findings
        ),
    )


def _affected(names: tuple[str, ...]) -> str:
    return f" Affected: {', '.join(names)}." if names else ""


def _delete(spec: DeleteSpec, channel: Channel) -> None:
    """Everything is ready before the service opens its transaction, which waits for the rest."""
    reader = _open(spec)
    channel.send("ready")
    channel.receive("go", within=_GO_WITHIN)
    channel.check()
    reader.forget(spec.snapshot_id, spec.reason, chain=spec.chain)


if __name__ == "__main__":
    serve(work)
