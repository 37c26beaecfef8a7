"""Compares two trees of files by everything that a restore has to bring back."""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from standalone.proof.findings import Alive, Comparison

PIECE = 1 << 20
READ = {stat.S_IFREG: os.R_OK, stat.S_IFDIR: os.R_OK | os.X_OK}


@dataclass(frozen=True, slots=True)
class Seen:
    """One entry as the file system has it."""

    kind: int
    mode: int
    owner: tuple[int, int]
    mtime_ns: int
    ctime_ns: int
    size: int
    target: str = ""
    xattrs: tuple[tuple[str, bytes], ...] = ()
    twins: tuple[str, ...] = ()
    readable: bool = True

    def differs_from(self, other: "Seen", *, owners: bool) -> list[str]:
        """The names of what is not the same."""
        names = ["kind", "mode", "mtime_ns", "size", "target", "xattrs", "twins"]
        names += ["owner"] if owners else []
        return [name for name in names if getattr(self, name) != getattr(other, name)]


def compare(
    source: Path, restored: Path, began_ns: int, alive: Alive, *, apart: Path | None = None
) -> Comparison:
    """Compare ``restored`` with ``source``, but for what changed there since ``began_ns``.

    ``apart`` is a folder in the source that was left out. What this user cannot read is counted.
    Owners are compared where they can be given away: as root.
    """
    found = Comparison()
    expected, got = scan(source, alive, apart), scan(restored, alive)
    files = size = 0
    for name in sorted(expected.keys() | got.keys()):
        alive()
        was, now = expected.get(name), got.get(name)
        if was is not None and was.ctime_ns >= began_ns:
            found.changed_since += 1
        elif was is not None and not was.readable:
            found.unreadable += 1
        elif was is None:
            # Its folder has changed too, if it was removed meanwhile.
            _unless_folder_changed(found, expected, name, began_ns)
        elif now is None:
            found.differ(f"{_shown(name)} did not come back")
        else:
            problems = was.differs_from(now, owners=os.geteuid() == 0)
            if not problems and stat.S_ISREG(was.kind):
                files, size = files + 1, size + was.size
                same = _content(source, name, alive) == _content(restored, name, alive)
                problems = [] if same else ["content"]
            if problems:
                found.differ(f"{_shown(name)}: {', '.join(problems)}")
    found.compared = f"{len(got):,} entries, {files:,} files byte by byte"
    found.since = f"{found.changed_since:,} changed since" if found.changed_since else ""
    return found


def _unless_folder_changed(
    found: Comparison, expected: dict[str, Seen], name: str, began_ns: int
) -> None:
    folder = name.rpartition("/")[0]
    while folder and folder not in expected:
        folder = folder.rpartition("/")[0]
    status = expected.get(folder)
    if status is not None and status.ctime_ns >= began_ns:
        found.changed_since += 1
    else:
        found.differ(f"{_shown(name)} was not there")


def scan(root: Path, alive: Alive, apart: Path | None = None) -> dict[str, Seen]:
    """Every entry below ``root``, by its path from there; the root itself is the empty path."""
    seen: dict[str, Seen] = {}
    links: dict[tuple[int, int], list[str]] = {}
    for name in _names(root):
        alive()
        if apart is not None and Path(name).is_relative_to(apart):
            continue
        path = Path(root, name)
        status = os.lstat(path)
        kind = stat.S_IFMT(status.st_mode)
        if stat.S_ISSOCK(kind):
            continue  # lives with its process; no backup has one
        if status.st_nlink > 1 and not stat.S_ISDIR(kind):
            links.setdefault((status.st_dev, status.st_ino), []).append(name)
        seen[name] = _seen(path, kind, status)
    for names in links.values():
        twins = tuple(sorted(names)) if len(names) > 1 else ()
        for name in names:
            seen[name] = replace(seen[name], twins=twins)
    return seen


def _names(root: Path) -> Iterator[str]:
    yield ""
    if root.is_symlink() or not root.is_dir():
        return
    for folder, folders, files in os.walk(root):
        base = os.path.relpath(folder, root)
        for name in (*folders, *files):
            yield name if base == "." else f"{base}/{name}"


def _seen(path: Path, kind: int, status: os.stat_result) -> Seen:
    return Seen(
        kind=kind,
        mode=stat.S_IMODE(status.st_mode),
        owner=(status.st_uid, status.st_gid),
        mtime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
        size=status.st_size if stat.S_ISREG(kind) else 0,
        target=str(path.readlink()) if stat.S_ISLNK(kind) else "",
        xattrs=_xattrs(path),
        readable=kind not in READ or os.access(path, READ[kind]),
    )


def _xattrs(path: Path) -> tuple[tuple[str, bytes], ...]:
    try:
        names = sorted(os.listxattr(path, follow_symlinks=False))
        return tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in names)
    except OSError:
        return ()


def _content(root: Path, name: str, alive: Alive) -> bytes:
    digest = hashlib.blake2b()
    with Path(root, name).open("rb", buffering=0) as file:
        while piece := file.read(PIECE):
            alive()
            digest.update(piece)
    return digest.digest()


def _shown(name: str) -> str:
    return ascii(name)[1:-1] if not name.isprintable() else name or "the folder itself"
