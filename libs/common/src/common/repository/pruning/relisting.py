"""Changing what the index says about packs: write anew, then delete what is replaced."""

from collections.abc import Callable, Iterable

from common.repository.format.index import PackEntry, seal_segment
from common.repository.format.names import index_name, object_id
from common.repository.index.catalog import Segment, agreed
from common.repository.session import Session
from common.repository.writing.packing import SEGMENT_SIZE

Change = Callable[[PackEntry], PackEntry | None]
"""A pack's entry as it is to be; None strikes it out."""


def relist(session: Session, segments: Iterable[Segment], change: Change, owner: str) -> None:
    """Rewrite the segments in which ``change`` changes anything; the others stay.

    Killed in between it leaves some packs listed twice, which means what the entry that is live
    says. A pack that is to be listed differently has to be so in every segment.
    """
    replaced: list[str] = []
    kept: dict[bytes, PackEntry] = {}
    for segment in segments:
        changed = [(entry, change(entry)) for entry in segment.entries]
        if all(new is entry for entry, new in changed):
            continue
        replaced.append(segment.name)
        for _, new in changed:
            if new is not None:
                kept[new.pack_id] = agreed(kept.get(new.pack_id, new), new)
    write_segments(session, kept.values(), owner)
    session.directory.delete_all(replaced)


def write_segments(session: Session, entries: Iterable[PackEntry], owner: str) -> None:
    """List these packs, in as many segments as it takes."""
    batch: list[PackEntry] = []
    size = 0
    for entry in entries:
        batch.append(entry)
        size += entry.listed_size()
        if size >= SEGMENT_SIZE:
            _seal(session, batch, owner)
            batch, size = [], 0
    if batch:
        _seal(session, batch, owner)


def _seal(session: Session, batch: list[PackEntry], owner: str) -> None:
    data = seal_segment(batch, session.keys.index)
    session.directory.write(index_name(object_id(data)), data, owner=owner)
