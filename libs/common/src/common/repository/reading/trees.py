"""Reading trees: block after block, past what is damaged."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from common.errors import Corrupt
from common.repository.damage import Damaged
from common.repository.format.blockreader import (
    Block,
    Lone,
    StoredEntry,
    parse_block,
    parse_references,
)
from common.repository.format.chunklist import ChunkList, Item
from common.repository.reading.fetch import Fetcher, Visit, items

T = TypeVar("T")
OnDamage = Callable[[Damaged], None]


def blocks(fetcher: Fetcher, tree: ChunkList, on_damage: OnDamage) -> Iterator[tuple[bytes, Block]]:
    """The blocks of a tree with their chunk ids, in order; told is what cannot be read."""
    for item in block_items(fetcher, tree):
        try:
            if isinstance(item, Damaged):
                raise item
            yield item[0], read_block(fetcher, *item)
        except Damaged as error:
            on_damage(error)


def block_items(
    fetcher: Fetcher, tree: ChunkList, visit: Visit | None = None
) -> Iterator[Item | Damaged]:
    """The blocks of a tree as ``items`` gives them, until one of them comes again."""
    seen: set[bytes] = set()
    for item in items(fetcher, tree, visit):
        if not isinstance(item, Damaged):
            if item[0] in seen:  # no path is twice in a tree; such a list need have no end
                name = f"chunk {item[0].hex()}"
                yield Damaged(f"{name} is twice in one tree.", name=name)
                return
            seen.add(item[0])
        yield item


def read_block(fetcher: Fetcher, chunk_id: bytes, length: int) -> Block:
    """One block. Raises ``Damaged``."""
    return _read(fetcher, chunk_id, length, parse_block)


def read_references(fetcher: Fetcher, chunk_id: bytes, length: int) -> list[Lone | StoredEntry]:
    """The entries of one block, for whoever follows their content. Raises ``Damaged``."""
    return _read(fetcher, chunk_id, length, parse_references)


def _read(fetcher: Fetcher, chunk_id: bytes, length: int, parse: Callable[[bytes, str], T]) -> T:
    name = f"chunk {chunk_id.hex()}"
    try:
        return parse(fetcher.chunk(chunk_id, length), name)
    except Corrupt as error:
        raise Damaged.because(name, error) from error


def entries(fetcher: Fetcher, tree: ChunkList, on_damage: OnDamage) -> Iterator[StoredEntry]:
    """The entries of a tree, in order; told is what cannot be read."""
    for _, block in blocks(fetcher, tree, on_damage):
        yield from block.entries


def warnings(fetcher: Fetcher, tree: ChunkList, on_damage: OnDamage) -> Iterator[str]:
    """What was noticed when the component was backed up."""
    for _, block in blocks(fetcher, tree, on_damage):
        yield from block.warnings
