"""What may be on a disk after its power was cut: POSIX promises nothing that was not synced.

A file keeps what it had at its last ``fsync``; what was written since is there in full, in part, as
zeros, or not at all. A name in a folder keeps what it meant when the folder was last synced, or
what any later change made of it, each name for itself: a rename may be seen at one end only.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random

from chaos.calls import Call

BLOCK = 512

Contents = Mapping[str, bytes | None]
"""Everything in a folder by relative path; None stands for a folder."""


class Loss(StrEnum):
    """How much of what was not synced is lost."""

    ALL = "all"
    NOTHING = "nothing"
    SOME = "some"


@dataclass(slots=True)
class _File:
    durable: bytes = b""
    written: bytes = b""

    def after_a_cut(self, loss: Loss, random: Random) -> bytes:
        if loss is Loss.NOTHING or self.written == self.durable:
            return self.written
        if loss is Loss.ALL:
            return self.durable
        start = len(self.durable)
        torn = bytearray(self.written[: random.randint(start, len(self.written))])
        for place in range(start, len(torn), BLOCK):
            if random.random() < 0.3:
                torn[place : place + BLOCK] = bytes(len(torn[place : place + BLOCK]))
        return bytes(torn)


_FOLDER = _File()
_Value = _File | None


@dataclass(slots=True)
class Disk:
    """Follows the calls on a folder. Everything that stands in it at first is durable."""

    root: Path
    _names: dict[str, dict[str, list[_Value]]] = field(default_factory=lambda: {"": {}})
    _files: dict[int, _File] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for place, content in read_tree(self.root).items():
            self._set(place, _FOLDER if content is None else _File(content, content))
        for names in self._names.values():
            _settle(names)

    def apply(self, call: Call) -> None:
        """One more call was made."""
        match call.kind:
            case "create":
                self._set(call.path, self._files.setdefault(call.file, _File()))
            case "write":
                self._files[call.file].written += call.data
            case "fsync":
                file = self._files[call.file]
                file.durable = file.written
            case "sync":
                _settle(self._names[call.path])
            case "rename":
                folder, name = os.path.split(call.path)
                self._set(call.target, self._names[folder][name][-1])
                self._set(call.path, None)
            case "link":
                folder, name = os.path.split(call.path)
                self._set(call.target, self._names[folder][name][-1])
            case "unlink":
                self._set(call.path, None)
            case "mkdir":
                self._set(call.path, _FOLDER)

    def after_a_cut(self, loss: Loss, random: Random) -> Contents:
        """What may be found when the power is back."""
        return dict(self._found("", loss, random))

    def visible(self) -> Contents:
        """What a program sees as long as the power is on."""
        return self.after_a_cut(Loss.NOTHING, Random(0))

    def _found(self, folder: str, loss: Loss, random: Random) -> Iterator[tuple[str, bytes | None]]:
        for name, values in self._names[folder].items():
            value = {Loss.ALL: values[0], Loss.NOTHING: values[-1]}.get(loss, random.choice(values))
            path = f"{folder}/{name}".lstrip("/")
            if value is _FOLDER:
                yield path, None
                yield from self._found(path, loss, random)
            elif value is not None:
                yield path, value.after_a_cut(loss, random)

    def _set(self, path: str, value: _Value) -> None:
        folder, name = os.path.split(path)
        self._names[folder].setdefault(name, [None]).append(value)
        if value is _FOLDER:
            self._names.setdefault(path, {})


def _settle(names: dict[str, list[_Value]]) -> None:
    for name, values in list(names.items()):
        if values[-1] is None:
            del names[name]
        else:
            names[name] = values[-1:]


def read_tree(root: Path) -> Contents:
    """Everything in a folder that is there."""
    found: dict[str, bytes | None] = {}
    for folder, folders, files in os.walk(root):
        inside = os.path.relpath(folder, root)
        found |= {os.path.normpath(f"{inside}/{name}"): None for name in folders}
        for name in files:
            found[os.path.normpath(f"{inside}/{name}")] = Path(folder, name).read_bytes()
    return dict(sorted(found.items()))


def write_tree(root: Path, contents: Contents) -> None:
    """Make a new folder of these contents."""
    root.mkdir(0o700)
    for path, content in contents.items():
        (root / path).parent.mkdir(0o700, parents=True, exist_ok=True)
        if content is None:
            (root / path).mkdir(0o700, exist_ok=True)
        else:
            (root / path).write_bytes(content)


def shape(contents: Contents) -> frozenset[tuple[str, bytes | None]]:
    """What makes two states the same: everything but unfinished objects."""
    return frozenset((path, data) for path, data in contents.items() if path[:4] != "tmp/")
