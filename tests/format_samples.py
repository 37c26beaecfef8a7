"""Samples of every object, shared by the tests of the format."""

import os
from datetime import UTC, datetime
from uuid import UUID

from common.crypto.hpke import PrivateKey
from common.repository.format.chunklist import ChunkList
from common.repository.format.pack import (
    Directory,
    Record,
    pack_chunks,
)
from common.repository.format.runkey import RunKey
from common.repository.format.snapshot import (
    Link,
    Removed,
    Snapshot,
    StoredComponent,
    Witness,
)
from common.repository.format.wrappedkey import wrap_run_key
from common.repository.format.writerkeys import WriterKeys

KEYS = WriterKeys(bytes(32), bytes(16))
PRIVATE = PrivateKey(bytes(32))
NOW = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
RUN = UUID(int=7)


def directory(lengths: list[list[int]]) -> Directory:
    """A directory with a record for each list, and a chunk in it for each length."""
    records = [Record(1, sum(row) + 16, sum(row), len(row)) for row in lengths]
    chunks = [(os.urandom(16), length) for row in lengths for length in row]
    return Directory.of(0, records, pack_chunks(chunks))


def snapshots() -> list[Snapshot]:
    link = Link("main/nightly", 2, "ab" * 32)
    tree = ChunkList(1, 10**12, ((bytes(16), 4000), (b"x" * 16, 1)))
    details: dict[str, object] = {"odd": ["\udcff", 1.5, None], "ünï": {"x": True}}
    component = StoredComponent("files", "files", 3, 10**15, 1, details, tree)
    common = {"repository": KEYS.repository, "generation": 1, "link": link, "created": NOW}
    return [
        Snapshot(
            kind="backup",
            **common,  # type: ignore[arg-type] # one dict for both kinds
            run=RUN,
            backup_id="b",
            finished=NOW,
            witnesses=(Witness("other", 3, "cd" * 32),),
            components=(component,),
        ),
        Snapshot(
            kind="tombstone",
            **common,  # type: ignore[arg-type] # one dict for both kinds
            reason="too old",
            removed=(Removed("ef" * 32, Link("main/nightly", 1, None), RUN, "b"),),
        ),
    ]


def run_key() -> tuple[RunKey, bytes, str]:
    key = RunKey.generate()
    data = wrap_run_key(
        key,
        run=RUN,
        recipients=(PRIVATE.public, PrivateKey.generate().public),
        keys=KEYS,
        generation=1,
        purpose="backup",
        created=NOW,
    )
    return key, data, f"keys/{key.key_id.hex()}"
