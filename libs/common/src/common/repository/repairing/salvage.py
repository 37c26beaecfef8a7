"""Taking the sound records out of damaged packs, and the damaged packs out of the index."""

from uuid import uuid4

from common.repository.checking.treecheck import PackWatch
from common.repository.format.names import pack_name
from common.repository.lock import exclusive
from common.repository.pruning.relisting import relist
from common.repository.pruning.rewriting import rewrite
from common.repository.reading.fetch import Fetcher
from common.repository.session import Session

ASIDE = "damaged"
"""Owner of the files of damaged objects that were set aside; prune removes them after a week."""


def salvage(session: Session, fetcher: Fetcher, watch: PackWatch) -> list[str]:
    """Store what is sound in damaged packs anew, then take these packs out of the repository.

    From then on no backup deduplicates against a damaged chunk: the next backup that has its
    content stores it again, which mends the past ones too. The packs are set aside. Gives their
    names.

    Raises:
        Conflict: a prune, a deletion or another repair is going on.
    """
    packs = fetcher.catalog.packs
    damaged = [number for number, (error, _) in watch.damaged.items() if not error.missing]
    sound = _Sound(fetcher, watch)
    with exclusive(session.directory.path):
        worth = [number for number in damaged if any(sound.needed(number))]
        if worth:
            rewrite(session, fetcher, sound, worth, uuid4())
        # The pack before its entry: without one it would be looked into like an unlisted pack.
        struck = {packs[number].pack_id for number in damaged}
        names = sorted(pack_name(pack_id) for pack_id in struck)
        for name in names:
            session.directory.set_aside(name, ASIDE)
            session.directory.delete(name)
        relist(
            session,
            session.segments(),
            lambda entry: None if entry.pack_id in struck else entry,
            ASIDE,
        )
    return names


class _Sound:
    """The chunks of damaged packs that can be read."""

    def __init__(self, fetcher: Fetcher, watch: PackWatch) -> None:
        self._packs = fetcher.catalog.packs
        self._damaged = watch.damaged

    def needed(self, pack: int) -> list[int]:
        """For each chunk of a pack, whether it can be read."""
        _, bad = self._damaged[pack]
        found: list[int] = []
        for number, record in enumerate(self._packs[pack].directory.records):
            good = bad is not None and number not in bad
            found += [int(good)] * record.chunks
        return found
