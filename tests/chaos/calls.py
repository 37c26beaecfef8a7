"""Sees every call by which the storage layer changes or reads a folder, before and after it.

It replaces functions of ``os``: another way to write, one that a later storage layer may take,
fails loudly when it is seen here, and shows as a difference between folder and model when not.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

CHANGES = frozenset({"create", "write", "fsync", "sync", "rename", "unlink", "mkdir", "link"})
READS = frozenset({"open", "read", "list", "stat"})


@dataclass(frozen=True, slots=True)
class Call:
    """One call: ``path`` and ``target`` are relative to the folder, ``file`` numbers a new file."""

    kind: str
    path: str
    target: str = ""
    data: bytes = b""
    file: int = 0


class Watcher(Protocol):
    """May raise before a call: then it is not made."""

    def before(self, call: Call) -> None:
        """A call is about to be made."""

    def after(self, call: Call) -> None:
        """A call was made."""


class _Interposer:
    """The replacements. Syncing is told but not done: no power is lost here."""

    def __init__(self, root: Path, watcher: Watcher) -> None:
        self._root = os.fspath(root)
        self._watcher = watcher
        self._lock = threading.Lock()
        self._files: dict[int, tuple[str, int]] = {}
        self._folders: dict[int, str] = {}
        self._read: dict[int, str] = {}
        self._serial = 0
        self._real = {name: getattr(os, name) for name in _PATCHED + _UNKNOWN}

    def inside(self, path: Any) -> str | None:
        """The path relative to the folder; None when it is elsewhere."""
        text = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
        if text == self._root:
            return ""
        return text[len(self._root) + 1 :] if text.startswith(self._root + "/") else None

    def _made(self, call: Call, make: Callable[[], Any]) -> Any:
        self._watcher.before(call)
        with self._lock:
            result = make()
            self._watcher.after(call)
        return result

    def open(self, path: Any, flags: int, mode: int = 0o777, **options: Any) -> int:
        place, real = self.inside(path), self._real["open"]
        if place is None:
            descriptor = int(real(path, flags, mode, **options))
            self._read.pop(descriptor, None)  # a file object does not tell that it is closed
            return descriptor
        if flags & os.O_CREAT:
            assert flags & os.O_EXCL, (
                "a file is opened for writing in a way the model does not know"
            )
            self._serial += 1
            call = Call("create", place, file=self._serial)
            descriptor = int(self._made(call, lambda: real(path, flags, mode, **options)))
            self._files[descriptor] = (place, call.file)
            self._read.pop(descriptor, None)
            return descriptor
        assert not flags & (os.O_WRONLY | os.O_RDWR), "a file is written in a way unknown here"
        call = Call("open", place)
        descriptor = int(self._made(call, lambda: real(path, flags, mode, **options)))
        if flags & os.O_DIRECTORY:
            self._folders[descriptor] = place
        else:
            self._read[descriptor] = place
        return descriptor

    def close(self, descriptor: int) -> None:
        self._files.pop(descriptor, None)
        self._folders.pop(descriptor, None)
        self._real["close"](descriptor)

    def write(self, descriptor: int, data: Any) -> int:
        if descriptor not in self._files:
            return int(self._real["write"](descriptor, data))
        place, file = self._files[descriptor]
        call = Call("write", place, data=bytes(data), file=file)
        count = int(self._made(call, lambda: self._real["write"](descriptor, data)))
        assert count == len(data), "the disk of the tests is full"
        return count

    def fsync(self, descriptor: int) -> None:
        if descriptor in self._files:
            place, file = self._files[descriptor]
            self._made(Call("fsync", place, file=file), lambda: None)
        elif descriptor in self._folders:
            self._made(Call("sync", self._folders[descriptor]), lambda: None)
        else:
            self._real["fsync"](descriptor)

    def replace(self, source: Any, target: Any, **options: Any) -> None:
        places = self.inside(source), self.inside(target)
        if None in places:
            assert places == (None, None), "a file crosses the border of the folder"
            self._real["replace"](source, target, **options)
            return
        call = Call("rename", str(places[0]), str(places[1]))
        self._made(call, lambda: self._real["replace"](source, target, **options))

    def link(self, source: Any, target: Any, **options: Any) -> None:
        places = self.inside(source), self.inside(target)
        assert None not in places, "a file gets a name across the border of the folder"
        call = Call("link", str(places[0]), str(places[1]))
        self._made(call, lambda: self._real["link"](source, target, **options))

    def _by_path(self, kind: str, name: str) -> Callable[..., Any]:
        real = self._real[name]

        def call(path: Any = ".", *arguments: Any, **options: Any) -> Any:
            place = self.inside(path)
            if place is None:
                return real(path, *arguments, **options)
            return self._made(Call(kind, place), lambda: real(path, *arguments, **options))

        return call

    def _refused(self, name: str) -> Callable[..., Any]:
        real = self._real[name]

        def call(*arguments: Any, **options: Any) -> Any:
            known = any(self.inside(each) is not None for each in arguments)
            mine = known or (arguments and arguments[0] in self._files)
            assert not mine, f"os.{name} changes the folder in a way that the model does not know"
            return real(*arguments, **options)

        return call

    def pread(self, descriptor: int, *arguments: Any) -> bytes:
        real = self._real["pread"]
        if descriptor not in self._read:
            return bytes(real(descriptor, *arguments))
        call = Call("read", self._read[descriptor])
        return bytes(self._made(call, lambda: real(descriptor, *arguments)))

    def replacements(self) -> dict[str, Callable[..., Any]]:
        """By the name in ``os``."""
        found = {name: self._refused(name) for name in _UNKNOWN}
        found |= {name: getattr(self, name) for name in _OWN}
        found |= {"replace": self.replace, "rename": self.replace}
        found |= {name: self._by_path(kind, name) for name, kind in _BY_PATH.items()}
        return found


_BY_PATH = {
    "unlink": "unlink",
    "remove": "unlink",
    "mkdir": "mkdir",
    "scandir": "list",
    "stat": "stat",
}
_OWN = ["open", "close", "write", "fsync", "link", "pread"]
_PATCHED = [*_OWN, "replace", "rename", *_BY_PATH]
_UNKNOWN = ["symlink", "truncate", "ftruncate", "pwrite", "writev", "pwritev", "sendfile"]
_UNKNOWN += ["copy_file_range", "posix_fallocate", "rmdir", "fdatasync", "mkfifo"]


@contextmanager
def watched(root: Path, watcher: Watcher) -> Iterator[None]:
    """Tell ``watcher`` of every call on the folder ``root`` from within."""
    interposer = _Interposer(root, watcher)
    with pytest.MonkeyPatch.context() as patch:
        for name, function in interposer.replacements().items():
            patch.setattr(os, name, function)
        yield
