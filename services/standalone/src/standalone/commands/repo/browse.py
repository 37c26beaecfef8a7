"""``strongroom repo ls|find|diff|dump|stats``: looking into backups without restoring them."""

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from common.components.names import meanings, show
from common.errors import Invalid, NotFound
from common.repository.browsing.comparing import Change, ChangeKind, compare
from common.repository.browsing.listing import Finder, list_folder, lookup, matching
from common.repository.entry import Entry, EntryType
from common.repository.format.blockreader import StoredEntry
from common.repository.format.snapshot import StoredComponent
from common.repository.history import SnapshotInfo
from common.repository.reader import Reader
from common.repository.reading.source import ComponentSource
from standalone import console, text
from standalone.commands import new_app
from standalone.keys.source import AnyKeyFile
from standalone.repositories.damage import Met
from standalone.repositories.opening import Place, Snapshot, find, reading

app = new_app()
OneComponent = Annotated[
    str | None, typer.Option("--component", help="Only this one.", show_default=False)
]
_TYPES = {
    EntryType.DIRECTORY: stat.S_IFDIR,
    EntryType.SYMLINK: stat.S_IFLNK,
    EntryType.FIFO: stat.S_IFIFO,
    EntryType.CHARACTER: stat.S_IFCHR,
    EntryType.BLOCK: stat.S_IFBLK,
}
_SIGNS = {
    ChangeKind.ADDED: "+",
    ChangeKind.REMOVED: "-",
    ChangeKind.CONTENT: "M",
    ChangeKind.METADATA: "m",
}


@app.command()
def ls(
    repo: Place,
    snapshot: Snapshot,
    path: Annotated[str, typer.Argument(help="A folder in it.", show_default=False)] = "",
    *,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="And all below.")] = False,
    component: OneComponent = None,
    key_file: AnyKeyFile = None,
    as_json: console.AsJson = False,
) -> None:
    """List what is in a folder of a backup. Exits with 5 where there is none."""
    reader, met = reading(repo, key_file), Met()
    folders, parts = _meant(path), _components(find(reader, snapshot), component)
    there = False

    def found() -> Iterator[tuple[str, Entry]]:
        nonlocal there
        for folder in folders:
            for part in parts:
                with suppress(NotFound):
                    for each in list_folder(
                        reader.fetcher, part, folder, met.note, recursive=recursive
                    ):
                        yield part.name, each
                    there = True
            if there:
                return

    _show_entries(found(), as_json=as_json)
    met.tell()
    if not there:
        raise NotFound(_nothing(path))


@app.command("find")
def find_entries(
    repo: Place,
    pattern: Annotated[
        str, typer.Argument(help="As for a shell: *.txt by name, with a slash by the whole path.")
    ],
    *,
    snapshot: Annotated[
        list[str] | None,
        typer.Option(help="Only in this backup; may be repeated.", show_default=False),
    ] = None,
    key_file: AnyKeyFile = None,
    as_json: console.AsJson = False,
) -> None:
    """Find entries by their names, in all backups. Exits with 5 where there is none."""
    reader, met = reading(repo, key_file), Met()
    asked = [find(reader, each) for each in snapshot] if snapshot else reader.snapshots()
    backups = {each.id: each for each in asked}.values()  # by its name and by its id, once
    finder, count = Finder(reader.fetcher, matching(pattern), met.note), 0

    def rows() -> Iterator[tuple[str, dict[str, Any]]]:
        nonlocal count
        for found in finder.search(backups):
            count += 1
            line = f"{found.snapshot.id[:12]}  {_line(found.entry)}"
            backup = {"snapshot": found.snapshot.id, "name": found.snapshot.backup_name}
            yield line, {**backup, **_document(found.component, found.entry)}

    console.each(rows(), as_json=as_json)
    met.tell()
    if not count:
        raise NotFound(f"Nothing is called {pattern}.")


@app.command()
def diff(
    repo: Place,
    before: Snapshot,
    after: Snapshot,
    *,
    key_file: AnyKeyFile = None,
    as_json: console.AsJson = False,
) -> None:
    """Tell what changed: + added, - removed, M other content, m other metadata."""
    reader, met = reading(repo, key_file), Met()
    infos = find(reader, before), find(reader, after)
    counts = dict.fromkeys(ChangeKind, 0)

    def rows() -> Iterator[tuple[str, dict[str, Any]]]:
        left, right = ({part.name: part for part in info.components} for info in infos)
        for name in sorted(left.keys() | right.keys()):
            for change in compare(reader.fetcher, left.get(name), right.get(name), met.note):
                counts[change.kind] += 1
                yield f"{_SIGNS[change.kind]} {_shown(change.path)}", _change(name, change)

    console.each(rows(), as_json=as_json)
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    console.note(told or "There is no difference.")
    met.tell()


@app.command()
def dump(
    repo: Place,
    snapshot: Snapshot,
    path: Annotated[str, typer.Argument(help="A file in it.")],
    *,
    component: OneComponent = None,
    key_file: AnyKeyFile = None,
) -> None:
    """Write one file of a backup to standard output."""
    reader = reading(repo, key_file)
    part, entry = _file(reader, _components(find(reader, snapshot), component), path)
    for piece in ComponentSource(reader.fetcher, part).stream(entry):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _file(
    reader: Reader, parts: Sequence[StoredComponent], path: str
) -> tuple[StoredComponent, StoredEntry]:
    for meant in _meant(path):
        for part in parts:
            with suppress(NotFound):
                return part, lookup(reader.fetcher, part, meant)
    raise NotFound(_nothing(path))


def _components(info: SnapshotInfo, wanted: str | None) -> list[StoredComponent]:
    found = [part for part in info.components if wanted in (None, part.name)]
    if not found:
        known = ", ".join(part.name for part in info.components) or "none"
        raise NotFound(f"The backup has no component {wanted}.", remedy=f"It has: {known}.")
    return found


def _meant(given: str) -> list[bytes]:
    """What a path can mean; a file that is called just so goes before one that is shown so."""
    found = meanings(given)
    if any(b"\0" in path for path in found):
        raise Invalid("A path contains a NUL byte.")
    return found


def _nothing(path: str) -> str:
    return f"There is no {show(os.fsencode(path))} in the backup."


def _show_entries(found: Iterable[tuple[str, Entry]], *, as_json: bool) -> None:
    rows = ((_line(entry), _document(name, entry)) for name, entry in found)
    console.each(rows, as_json=as_json)


def _line(entry: Entry) -> str:
    owner = f"{entry.user or entry.uid} {entry.group or entry.gid}"
    mode = stat.filemode(_TYPES.get(entry.type, stat.S_IFREG) | entry.mode)
    target = f" -> {show(entry.target)}" if entry.target else ""
    return (
        f"{mode} {owner:<16} {text.size(entry.size):>9} {_moment(entry):<16} "
        f"{_shown(entry.path)}{target}"
    )


def _document(component: str, entry: Entry) -> dict[str, Any]:
    document: dict[str, Any] = {
        "component": component,
        "path": _shown(entry.path),
        "type": entry.type,
        "mode": f"{entry.mode:04o}",
        "uid": entry.uid,
        "gid": entry.gid,
        "user": entry.user,
        "group": entry.group,
        "size": entry.size,
        "mtime_ns": entry.mtime_ns,
    }
    return {**document, "target": show(entry.target)} if entry.target else document


def _change(component: str, change: Change) -> dict[str, Any]:
    sides = {"before": change.before, "after": change.after}
    return {
        "component": component,
        "path": _shown(change.path),
        "change": change.kind,
        **{f"size_{side}": entry.size for side, entry in sides.items() if entry is not None},
    }


def _shown(path: bytes) -> str:
    return show(path) or "."


def _moment(entry: Entry) -> str:
    """Its time here; where no calendar goes, in seconds since 1970, as ``date -d`` takes it."""
    seconds = entry.mtime_ns // 10**9
    try:
        return f"{datetime.fromtimestamp(seconds, UTC).astimezone():%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError, OSError):
        return f"@{seconds}"
