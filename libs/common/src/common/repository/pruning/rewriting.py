"""Copying the chunks still needed out of packs that are mostly waste."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Protocol
from uuid import UUID

from common.repository.damage import Damaged
from common.repository.format.codec import Compressor
from common.repository.format.names import key_name
from common.repository.format.pack import CONTENT, TREE
from common.repository.reading.fetch import Fetcher
from common.repository.session import Session
from common.repository.writing.alive import is_alive
from common.repository.writing.packing import PackWriter, SegmentWriter
from common.repository.writing.storing import ChunkStore
from common.repository.writing.threads import Threads


class Wanted(Protocol):
    """Says which chunks to copy. ``Marks`` is one."""

    def needed(self, pack: int) -> Sequence[int]:
        """For each chunk of a pack, whether it is wanted."""


def rewrite(
    session: Session, fetcher: Fetcher, marks: Wanted, packs: Iterable[int], run: UUID
) -> None:
    """Store the needed chunks of these packs anew and list them. Every one is verified on the way.

    Raises:
        Damaged: a pack cannot be read; what was written is not listed.
    """
    key = session.write_key(run, "prune")
    segments = SegmentWriter(
        session.directory,
        session.keys.index,
        owner=run.hex,
        is_alive=lambda: is_alive(session.directory, key, session.keys),
    )
    with closing(Threads(2, "compress")) as pool, closing(Threads(1, "make-durable")) as helper:
        stores = {}
        for kind in (CONTENT, TREE):
            writer = PackWriter(
                session.directory, key, kind=kind, owner=run.hex, segments=segments, helper=helper
            )
            stores[kind] = ChunkStore(
                writer,
                chunk_id_key=session.keys.chunk_id,
                known=lambda _: False,
                compressor=Compressor(),
                pool=pool,
            )
        try:
            for pack in packs:
                kind = fetcher.catalog.packs[pack].directory.kind
                _copy(fetcher, marks, pack, stores[kind])
            for store in stores.values():
                store.finish()
            # A folder there may be that of a process which died before it was durable.
            session.directory.settle("packs")
            segments.flush()
        except BaseException:
            for store in stores.values():
                store.abort()
            if not segments.listed:
                session.directory.delete(key_name(key.key_id))
            raise


def _copy(fetcher: Fetcher, marks: Wanted, pack: int, store: ChunkStore) -> None:
    needed = marks.needed(pack)
    entry = fetcher.catalog.packs[pack]
    first = 0
    for number, (_, chunks) in enumerate(entry.directory.records_with_chunks()):
        wanted = needed[first : first + len(chunks)]
        first += len(chunks)
        if not any(wanted):
            continue
        raw = memoryview(fetcher.record(pack, number))
        offset = 0
        for (chunk_id, length), want in zip(chunks, wanted, strict=True):
            if want and store.put(raw[offset : offset + length]) != chunk_id:
                raise Damaged(f"{entry.name} holds other data than it says.", name=entry.name)
            offset += length
