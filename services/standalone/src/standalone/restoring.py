"""Restoring from a repository by the command line alone, with nothing but the key."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from common.components.component import Component, RestoreOutcome, Target
from common.components.files import FilesComponent
from common.components.names import selecting
from common.errors import Error
from common.repository.history import SnapshotInfo
from common.repository.reader import BackupReader
from restore_worker.metered import Meter, MeteredSource
from standalone import console
from standalone.console import Report

_TERMINATED = 128 + signal.SIGTERM


@dataclass(frozen=True, slots=True)
class Restored:
    """A component that was restored: where it is now, and what it came to."""

    name: str
    kind: str
    folder: Path
    outcome: RestoreOutcome


class _Told:
    """Passes a meter's words on to a progress bar."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def progress(self, phase: str, **fields: Any) -> None:
        self._report(phase, fields["done_bytes"], fields["total_bytes"], fields["entries"], "")


@contextmanager
def saying_what_stays() -> Iterator[None]:
    """Where a restore ends too early, say what it leaves and how to go on: after SIGTERM, too."""
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    except BaseException as error:
        notes = getattr(error, "__notes__", [])
        if isinstance(error, Error):
            error.remedy = " ".join([error.remedy, *notes]).lstrip()
        else:
            console.note("Not all is restored. Run the same restore again: it keeps what is whole.")
            for each in notes:
                console.note(each)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(*_: object) -> NoReturn:
    raise SystemExit(_TERMINATED)


def document(info: SnapshotInfo, done: list[Restored]) -> dict[str, Any]:
    """What came of it, for programs."""
    return {
        "id": info.id,
        "name": info.backup_name,
        "entries": sum(each.outcome.entries for each in done),
        "size_bytes": sum(each.outcome.size_bytes for each in done),
        "components": [
            {
                "name": each.name,
                "kind": each.kind,
                "folder": str(each.folder),
                "entries": each.outcome.entries,
                "size_bytes": each.outcome.size_bytes,
                "warnings": each.outcome.warnings,
            }
            for each in done
        ],
    }


def restore(
    backup: BackupReader,
    folders: dict[str, Path],
    paths: Sequence[str],
    report: Report,
) -> list[Restored]:
    """Bring the components that ``folders`` names back, each into its folder.

    A database comes as the archive that its component keeps: there may be no server here.
    """
    stored = [each for each in backup.info.components if each.name in folders]
    total = None if paths else sum(each.size for each in stored)
    meter = Meter(_Told(report), total)
    select = selecting(paths) if paths else None
    done: list[Restored] = []
    for each in stored:
        meter.begin(each.name)
        component: Component = FilesComponent.of(each.name, [])
        source = MeteredSource(backup.source(each.name), meter)
        outcome = component.restore(source, Target(directory=folders[each.name]), select)
        done.append(Restored(each.name, each.kind, folders[each.name], outcome))
    return done
