"""What every place that keeps objects must do. The docstrings are the contract.

``libs/common/tests/storage/test_conformance.py`` holds each store to them.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from common.errors import Invalid

if TYPE_CHECKING:
    from datetime import datetime  # who only writes objects does without

MAX_OBJECT_SIZE = 5 * 1024**3
"""What every destination takes as one object (the limit of a single S3 request)."""

TEMPORARY = "tmp"
"""The first part of a name that no object may have: unfinished writes stand there."""

_PART = r"[a-z0-9][a-z0-9._-]*"
_NAME = re.compile(rf"{_PART}(?:/{_PART}){{0,3}}", re.ASCII)
_LONGEST_NAME = 200


class ObjectInfo(NamedTuple):
    """An object's name and size in bytes."""

    name: str
    size: int


class Bookmark(Protocol):
    """Keeps the place in one upload that takes many requests, so that a new process goes on in it.

    The token is the store's own (an S3 upload id, the address of a Drive session). It may allow
    anyone to write there: it is kept like a secret and never logged.
    """

    async def load(self) -> str | None:
        """The token saved last, or None."""

    async def save(self, token: str | None) -> None:
        """Remember ``token`` durably; None forgets it."""


class ObjectStore(Protocol):
    """A flat map from names to immutable byte strings.

    Errors: ``NotFound`` when there is no such object; ``Invalid`` for a name or a range that no
    store accepts; ``Forbidden`` when the store refuses us; ``NoSpace`` when it is full;
    ``Unavailable`` for all that may pass by itself. Only ``Unavailable`` is worth an early retry.
    A store waits for its server within time limits of its own, then raises ``Unavailable``.
    All methods may be called concurrently.
    """

    async def prepare(self) -> None:
        """Make the place ready before its first use: the folder, the bucket. Repeatable.

        No other method creates it, so that a disk that is not mounted is not mistaken for an
        empty one.
        """

    async def put(
        self, name: str, source: bytes | Path, *, bookmark: Bookmark | None = None
    ) -> None:
        """Store all of ``source`` under ``name``.

        Atomic: a reader sees the former object, or none, until the new one is complete; also when
        several put the same name at once, or when this process is killed. Durable when it returns.
        Replaces an existing object, so that a put may be repeated. More than ``MAX_OBJECT_SIZE``
        bytes are ``Invalid``. A store that sends an object in several requests keeps its place in
        ``bookmark`` and goes on from there when it is called again with the same source; it
        forgets the place when the object stands. Other stores ignore it.
        """

    async def get(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes from ``offset``, at most ``length`` of them: fewer only at the object's end."""

    def stream(self, name: str, offset: int = 0) -> AsyncIterator[bytes]:
        """The object from ``offset`` to its end, in pieces of a size that fits in memory."""

    async def stat(self, name: str) -> ObjectInfo:
        """The object's size."""

    def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        """Every complete object whose name starts with ``prefix``, in no certain order."""

    async def delete(self, name: str) -> None:
        """Remove an object, durably. Nothing happens when there is none."""

    async def sweep(self, before: "datetime") -> int:
        """Remove what puts begun before then left unfinished; say how many there were.

        Bookmarks older than that are worth nothing afterwards: a put with one starts anew.
        """

    async def close(self) -> None:
        """Give back connections and threads. Repeatable."""


def check_name(name: str) -> str:
    """The name, when it is one that an object may have.

    Lower case only, so that no file system takes two names for one; no part starts with a dot.

    Raises:
        Invalid: it is not.
    """
    if (
        len(name) > _LONGEST_NAME
        or not _NAME.fullmatch(name)
        or name.partition("/")[0] == TEMPORARY
    ):
        raise Invalid(f"{name[:_LONGEST_NAME]!r} cannot be the name of an object.")
    return name


def check_range(offset: int, length: int | None) -> None:
    """Raise ``Invalid`` for a negative offset or length."""
    if offset < 0 or (length is not None and length < 0):
        raise Invalid(f"There is no range of {length} bytes at {offset}.")


def check_size(name: str, size: int) -> None:
    """Raise ``Invalid`` for an object that some destination would not take."""
    if size > MAX_OBJECT_SIZE:
        raise Invalid(f"{name} has {size} bytes; an object has at most {MAX_OBJECT_SIZE}.")
