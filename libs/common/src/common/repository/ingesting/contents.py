"""From bytes to chunk lists: content is cut, stored, and listed."""

from collections.abc import Callable, Iterable
from typing import BinaryIO

from common.byteslike import BytesLike
from common.repository.format.chunklist import ITEM, ChunkList, Item
from common.repository.writing.chunker import Chunker, Fill
from common.repository.writing.chunklists import ListWriter
from common.repository.writing.storing import ChunkStore

_PROBABLY = 64 * 1024
"""How long a stream is, until it turns out longer."""

_PIECE = 1024**2


class ContentWriter:
    """Stores contents. ``advance`` is told the number of bytes after each chunk."""

    def __init__(
        self,
        chunker: Chunker,
        contents: ChunkStore,
        lists: ChunkStore,
        advance: Callable[[int], None],
    ) -> None:
        self._chunker = chunker
        self._contents = contents
        self._lists = lists
        self._advance = advance
        self.whole = chunker.whole

    def stream(self, stream: BinaryIO) -> ChunkList:
        """Read a stream to its end."""
        return self.cut(_filler(stream), _PROBABLY)

    def one(self, data: BytesLike) -> bytes:
        """Store a content that is one chunk; its id."""
        self._advance(len(data))
        return self._contents.put(data)

    def cut(self, fill: Fill, expected: int, flat: bytearray | None = None) -> ChunkList:
        """Store what ``fill`` gives, of about so many bytes; ``flat`` gets all items, packed."""
        items = ListWriter(self._lists)
        for chunk in self._chunker.cut(fill, expected):
            chunk_id = self._contents.put(chunk)
            items.add(chunk_id, len(chunk))
            if flat is not None:
                flat += ITEM.pack(chunk_id, len(chunk))
            self._advance(len(chunk))
        return items.finish()

    def listed(self, items: Iterable[Item]) -> ChunkList:
        """The list of chunks that are stored already."""
        writer = ListWriter(self._lists)
        for chunk_id, length in items:
            writer.add(chunk_id, length)
        return writer.finish()


def _filler(stream: BinaryIO) -> Fill:
    def fill(view: memoryview) -> int:
        piece = stream.read(min(len(view), _PIECE))
        view[: len(piece)] = piece
        return len(piece)

    return fill
