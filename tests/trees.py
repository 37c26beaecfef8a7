"""Compares two trees in everything a restore has to bring back."""

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

READ = 1 << 20


@dataclass
class Tree:
    """The status of everything in a folder by relative path; the folder itself is b"."."""

    root: bytes
    entries: dict[bytes, os.stat_result] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.entries[b"."] = os.lstat(self.root)
        for path in walk(self.root):
            self.entries[os.path.relpath(path, self.root)] = os.lstat(path)

    def path(self, name: bytes) -> bytes:
        """Where an entry is."""
        return os.path.join(self.root, name)

    def links(self) -> dict[bytes, bytes]:
        """For each name of an inode that has several in this tree: the first of them."""
        first: dict[tuple[int, int], bytes] = {}
        names: dict[bytes, bytes] = {}
        for name, status in sorted(self.entries.items()):
            if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                inode = (status.st_dev, status.st_ino)
                names[name] = first.setdefault(inode, name)
        return names


def walk(folder: bytes) -> Iterator[bytes]:
    """Every path below a folder, symlinks not followed."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        yield entry.path
        if entry.is_dir(follow_symlinks=False):
            yield from walk(entry.path)


def compare(a: Path | bytes, b: Path | bytes, *, ignore: Collection[str] = ()) -> list[str]:
    """Every difference between the trees ``a`` and ``b``, one sentence each; empty when equal.

    ``ignore`` leaves out aspects: type mode owner mtime links target device xattrs size holes
    content. Holes are compared as the file system reports them: both must lie on the same kind.
    """
    left, right = Tree(os.fsencode(a)), Tree(os.fsencode(b))
    found = [f"{_show(name)}: only in a" for name in left.entries.keys() - right.entries.keys()]
    found += [f"{_show(name)}: only in b" for name in right.entries.keys() - left.entries.keys()]
    links = left.links(), right.links()
    for name in left.entries.keys() & right.entries.keys():
        aspects = dict(_aspects(left, right, name))
        aspects["links"] = (links[0].get(name), links[1].get(name))
        found += [
            f"{_show(name)}: {aspect} {_short(one)} became {_short(other)}"
            for aspect, (one, other) in aspects.items()
            if one != other and aspect not in ignore
        ]
    return sorted(found)


def _aspects(left: Tree, right: Tree, name: bytes) -> Iterator[tuple[str, tuple[object, object]]]:
    one, other = left.entries[name], right.entries[name]
    paths = left.path(name), right.path(name)
    yield "type", (stat.S_IFMT(one.st_mode), stat.S_IFMT(other.st_mode))
    yield "mode", (oct(stat.S_IMODE(one.st_mode)), oct(stat.S_IMODE(other.st_mode)))
    yield "owner", ((one.st_uid, one.st_gid), (other.st_uid, other.st_gid))
    yield "mtime", (one.st_mtime_ns, other.st_mtime_ns)
    yield "xattrs", (xattrs(paths[0]), xattrs(paths[1]))
    if stat.S_IFMT(one.st_mode) != stat.S_IFMT(other.st_mode):
        return
    if stat.S_ISLNK(one.st_mode):
        yield "target", (os.readlink(paths[0]), os.readlink(paths[1]))
    if stat.S_ISCHR(one.st_mode) or stat.S_ISBLK(one.st_mode):
        yield "device", (one.st_rdev, other.st_rdev)
    if stat.S_ISREG(one.st_mode):
        yield "size", (one.st_size, other.st_size)
        yield "holes", (extents(paths[0]), extents(paths[1]))
        yield "content", ("the same", _first_difference(*paths))


def xattrs(path: bytes) -> dict[str, bytes]:
    """The extended attributes of an entry, access control lists among them."""
    names = os.listxattr(path, follow_symlinks=False)
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in names}


def extents(path: bytes | Path) -> list[tuple[int, int]]:
    """The (offset, length) regions of a file that hold data."""
    found = []
    with open(path, "rb") as file:
        end, size = 0, os.fstat(file.fileno()).st_size
        while end < size:
            try:
                start = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError:  # no data from here on
                break
            end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            found.append((start, end - start))
    return found


def _first_difference(a: bytes, b: bytes) -> str:
    """Where the contents part. Holes at the same places need not be read."""
    size, regions = os.stat(a).st_size, extents(a)
    if regions != extents(b) or size != os.stat(b).st_size:
        regions = [(0, max(size, os.stat(b).st_size))]
    with open(a, "rb") as one, open(b, "rb") as other:
        for start, length in regions:
            one.seek(start)
            other.seek(start)
            for offset in range(start, start + length, READ):
                amount = min(READ, start + length - offset)
                if one.read(amount) != other.read(amount):
                    return f"different within {amount} bytes of offset {offset}"
    return "the same"


def _show(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace").encode("unicode_escape").decode()


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 200 else text[:200] + "..."
