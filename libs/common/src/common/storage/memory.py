"""Objects in memory, for tests; large ones go in several requests, as at a real destination."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from common.errors import NoSpace, NotFound
from common.storage.source import PIECE, pieces_of, size_of
from common.storage.store import Bookmark, ObjectInfo, check_name, check_range, check_size


class MemoryBookmark:
    """``Bookmark`` in a variable."""

    def __init__(self, token: str | None = None) -> None:
        self.token = token

    async def load(self) -> str | None:
        return self.token

    async def save(self, token: str | None) -> None:
        self.token = token


@dataclass(slots=True)
class _Upload:
    content: bytearray = field(default_factory=bytearray)
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))


class MemoryStore:
    """``ObjectStore`` in a dictionary.

    ``capacity`` bytes fit in, ``part`` go in one request, and ``received`` counts what was sent.
    """

    def __init__(self, *, capacity: int | None = None, part: int = PIECE) -> None:
        self.capacity = capacity
        self.received = 0
        self._part = part
        self._objects: dict[str, bytes] = {}
        self._uploads: dict[str, _Upload] = {}

    async def prepare(self) -> None:
        await asyncio.sleep(0)

    async def put(
        self, name: str, source: bytes | Path, *, bookmark: Bookmark | None = None
    ) -> None:
        check_name(name)
        check_size(name, size_of(source))
        token = (await bookmark.load() if bookmark else None) or ""
        if token not in self._uploads:
            token = secrets.token_hex(8)
            self._uploads[token] = _Upload()
            if bookmark:
                await bookmark.save(token)
        upload = self._uploads[token]
        for piece in pieces_of(source, len(upload.content), self._part):
            self._receive(piece)
            upload.content += piece
            await asyncio.sleep(0)
        self._objects[name] = bytes(upload.content)
        del self._uploads[token]
        if bookmark:
            await bookmark.save(None)

    async def get(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        check_range(offset, length)
        end = None if length is None else offset + length
        return self._find(name)[offset:end]

    async def stream(self, name: str, offset: int = 0) -> AsyncIterator[bytes]:
        check_range(offset, None)
        for piece in pieces_of(self._find(name), offset, self._part):
            yield piece
            await asyncio.sleep(0)

    async def stat(self, name: str) -> ObjectInfo:
        return ObjectInfo(name, len(self._find(name)))

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        for name, content in tuple(self._objects.items()):
            if name.startswith(prefix):
                yield ObjectInfo(name, len(content))

    async def delete(self, name: str) -> None:
        self._objects.pop(check_name(name), None)

    async def sweep(self, before: datetime) -> int:
        stale = [token for token, upload in self._uploads.items() if upload.begun < before]
        for token in stale:
            del self._uploads[token]
        return len(stale)

    async def close(self) -> None:
        await asyncio.sleep(0)

    def _find(self, name: str) -> bytes:
        try:
            return self._objects[check_name(name)]
        except KeyError:
            raise NotFound(f"There is no object {name}.") from None

    def _receive(self, piece: bytes) -> None:
        held = sum(map(len, self._objects.values()))
        held += sum(len(upload.content) for upload in self._uploads.values())
        if self.capacity is not None and held + len(piece) > self.capacity:
            raise NoSpace(f"More than {self.capacity} bytes do not fit.", remedy="Delete some.")
        self.received += len(piece)
