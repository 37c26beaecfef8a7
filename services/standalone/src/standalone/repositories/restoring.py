"""Restoring from a repository by the command line alone, with nothing but the key."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from common.components.component import (
    Component,
    PlacedInPart,
    RestoredInPart,
    RestoreOutcome,
    Target,
)
from common.components.files import FilesComponent
from common.components.names import ChosenPaths, show
from common.errors import Corrupt, Error, NotFound
from common.repository.history import SnapshotInfo
from common.repository.reader import BackupReader
from restore_worker.metered import Meter, MeteredSource
from standalone import console
from standalone.console import Report

_TERMINATED = 128 + signal.SIGTERM


class Restored(NamedTuple):
    """A component that was restored: where it is now, what it came to, and what it lacks."""

    name: str
    kind: str
    folder: Path
    outcome: RestoreOutcome
    error: RestoredInPart | PlacedInPart | None = None


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
        "ok": all(each.error is None for each in done),
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
                "ok": each.error is None,
                "lost": [show(path) for path in getattr(each.error, "paths", ())],
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

    A database comes as the archive that its component keeps: there may be no server here. Paths
    that are in none of them are told as a warning. What one component lacks keeps no other from
    coming: it is in what is given back, for ``tell_what_lacks``.

    Raises:
        NotFound: none of the paths is in any of them.
    """
    os.umask(os.umask(0o077) & 0o077)  # what it makes must be open to itself
    stored = [each for each in backup.info.components if each.name in folders]
    total = None if paths else sum(each.size for each in stored)
    meter = Meter(_Told(report), total)
    done: list[Restored] = []
    met: set[str] = set()
    for each in stored:
        meter.begin(each.name)
        component: Component = FilesComponent.of(each.name, [])
        source = MeteredSource(backup.source(each.name), meter)
        select = ChosenPaths(paths) if paths else None
        lacking = None
        try:
            outcome = component.restore(source, Target(directory=folders[each.name]), select)
        except (RestoredInPart, PlacedInPart) as error:
            outcome, lacking = error.outcome, error
        except NotFound:
            if select is None or select.met:
                raise
            continue  # it may be in another one
        finally:
            met |= select.met if select is not None else set()
        done.append(Restored(each.name, each.kind, folders[each.name], outcome, lacking))
    return _noting(done, [path for path in paths if path not in met])


def tell_what_lacks(done: Sequence[Restored]) -> None:
    """Raise what keeps it from being everything: damage before what could not be placed."""
    found = {each.name: each.error for each in done if each.error is not None}
    if not found:
        return
    worst = next((x for x in found.values() if isinstance(x, Corrupt)), next(iter(found.values())))
    if len(found) > 1:
        worst.message = " ".join(f"{name}: {each.message}" for name, each in found.items())
        for note in [x for each in found.values() for x in getattr(each, "__notes__", ())]:
            if note not in getattr(worst, "__notes__", ()):
                worst.add_note(note)
    raise worst


def _noting(done: list[Restored], missing: list[str]) -> list[Restored]:
    """The same, with a warning for each path that the backup has not."""
    names = [show(os.fsencode(path)) for path in missing]
    if missing and not done:
        raise NotFound(f"Nothing in the backup has the name {', '.join(names)}.")
    if not missing:
        return done
    first, *others = done
    told = [f"The backup has nothing under the name {name}." for name in names]
    warnings = (*told, *first.outcome.warnings)
    return [first._replace(outcome=first.outcome._replace(warnings=warnings)), *others]
