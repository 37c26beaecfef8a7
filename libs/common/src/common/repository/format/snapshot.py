"""Snapshots: what a backup consists of, and its place in a chain. Tombstones: what was removed."""

import json
import os
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from common.crypto.aead import TAG_SIZE, NumberedSeal
from common.crypto.kdf import derive
from common.errors import Corrupt
from common.repository.format.chunklist import MAX_LEVEL, ChunkList, pack_items, parse_items
from common.repository.format.fields import Fields, encode
from common.repository.format.frame import parse_json
from common.repository.format.names import (
    ID_SIZE,
    KEY_ID_SIZE,
    MAGIC_SIZE,
    Kind,
    check_magic,
)

MAX_SNAPSHOT = 64 * 1024**2
_SALT_SIZE = 32
_START = MAGIC_SIZE + _SALT_SIZE
NO_RUN = UUID(int=0)


class Link(NamedTuple):
    """A place in a chain: who stands there, and who before it."""

    chain: str
    counter: int
    previous: str | None


class Witness(NamedTuple):
    """The newest snapshot of another chain, as seen when this one was written."""

    chain: str
    counter: int
    snapshot: str


class StoredComponent(NamedTuple):
    """One component in a backup. ``warnings`` counts those that stand at the end of its tree."""

    name: str
    kind: str
    entries: int
    size: int
    warnings: int
    details: dict[str, Any]
    tree: ChunkList


class Statistics(NamedTuple):
    """What a run came to: entries, bytes read, bytes of new chunks, bytes written."""

    entries: int = 0
    size: int = 0
    added: int = 0
    stored: int = 0


class Removed(NamedTuple):
    """A snapshot that a tombstone stands for."""

    snapshot: str
    link: Link
    run: UUID
    backup_id: str


class Snapshot(NamedTuple):
    """The body of a snapshot object; what only one kind has is empty in the other."""

    kind: Literal["backup", "tombstone"]
    repository: bytes
    generation: int
    link: Link
    created: datetime
    witnesses: tuple[Witness, ...] = ()
    run: UUID = NO_RUN
    backup_id: str = ""
    backup_name: str = ""
    plan: str = ""
    station: str = ""
    backup_type: str = ""
    finished: datetime | None = None
    components: tuple[StoredComponent, ...] = ()
    statistics: Statistics = Statistics()
    reason: str = ""
    removed: tuple[Removed, ...] = ()


def seal_snapshot(snapshot: Snapshot, chain_key: bytes) -> bytes:
    """The bytes of the object."""
    body: dict[str, Any] = {
        "kind": snapshot.kind,
        "repository": snapshot.repository.hex(),
        "generation": snapshot.generation,
        "created": snapshot.created.isoformat(),
        **_link(snapshot.link),
        "witnesses": [[w.chain, w.counter, w.snapshot] for w in snapshot.witnesses],
    }
    body |= _backup(snapshot) if snapshot.kind == "backup" else _tombstone(snapshot)
    text = json.dumps(body, separators=(",", ":")).encode()
    start = Kind.SNAPSHOT.magic + os.urandom(_SALT_SIZE)
    return start + _seal(start, chain_key).seal(0, text, start)


def open_snapshot(data: bytes, name: str, chain_key: bytes) -> Snapshot:
    """Read and authenticate a snapshot.

    Raises:
        Corrupt: damaged, or not written by a holder of the writer key.
    """
    check_magic(Kind.SNAPSHOT, data, name)
    if not _START + TAG_SIZE < len(data) <= MAX_SNAPSHOT:
        raise Corrupt(f"{name} has an impossible size: {len(data)} bytes.")
    start = data[:_START]
    try:
        text = _seal(start, chain_key).open(0, memoryview(data)[_START:], start)
    except Corrupt as error:
        raise Corrupt(f"{name} is damaged: it does not open.") from error
    return _parse(Fields(parse_json(text, name), name))


def _seal(start: bytes, chain_key: bytes) -> NumberedSeal:
    return NumberedSeal(derive(chain_key, "strongroom/v1/snapshot", start[MAGIC_SIZE:]))


def _link(link: Link) -> dict[str, Any]:
    return {"chain": link.chain, "counter": link.counter, "previous": link.previous}


def _backup(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "run": snapshot.run.hex,
        "backup_id": snapshot.backup_id,
        "backup_name": snapshot.backup_name,
        "plan": snapshot.plan,
        "station": snapshot.station,
        "backup_type": snapshot.backup_type,
        "finished": (snapshot.finished or snapshot.created).isoformat(),
        "components": [
            {
                "name": component.name,
                "kind": component.kind,
                "entries": component.entries,
                "size": component.size,
                "warnings": component.warnings,
                "details": component.details,
                "tree": _tree(component.tree),
            }
            for component in snapshot.components
        ],
        "statistics": snapshot.statistics._asdict(),
    }


def _tree(tree: ChunkList) -> dict[str, Any]:
    return {"level": tree.level, "size": tree.size, "root": encode(pack_items(tree.root))}


def _tombstone(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "reason": snapshot.reason,
        "removed": [
            {
                "snapshot": removed.snapshot,
                **_link(removed.link),
                "run": removed.run.hex,
                "backup_id": removed.backup_id,
            }
            for removed in snapshot.removed
        ],
    }


def _parse(fields: Fields) -> Snapshot:
    common: dict[str, Any] = {
        "repository": fields.hex("repository", KEY_ID_SIZE),
        "generation": fields.number("generation"),
        "created": fields.time("created"),
        "link": _parse_link(fields),
        "witnesses": tuple(_parse_witness(row, fields) for row in fields.list("witnesses")),
    }
    match fields.text("kind"):
        case "backup":
            return Snapshot(kind="backup", **common, **_parse_backup(fields))
        case "tombstone":
            removed = tuple(_parse_removed(row) for row in fields.rows("removed"))
            return Snapshot(
                kind="tombstone", **common, reason=fields.text("reason"), removed=removed
            )
        case _:
            raise fields.wrong("kind")


def _parse_backup(fields: Fields) -> dict[str, Any]:
    statistics = fields.fields("statistics")
    texts = ("backup_id", "backup_name", "plan", "station", "backup_type")
    return {
        **{name: fields.text(name) for name in texts},
        "run": UUID(bytes=fields.hex("run", KEY_ID_SIZE)),
        "finished": fields.time("finished"),
        "components": tuple(_parse_component(row) for row in fields.rows("components")),
        "statistics": Statistics(*(statistics.number(name) for name in Statistics._fields)),
    }


def _parse_component(row: Fields) -> StoredComponent:
    return StoredComponent(
        name=row.text("name"),
        kind=row.text("kind"),
        entries=row.number("entries"),
        size=row.number("size"),
        warnings=row.number("warnings"),
        details=row.mapping("details"),
        tree=_parse_tree(row.fields("tree")),
    )


def _parse_tree(fields: Fields) -> ChunkList:
    level = fields.number("level")
    if level > MAX_LEVEL:
        raise fields.wrong("level")
    root = tuple(parse_items(fields.binary("root"), fields.name))
    return ChunkList(level, fields.number("size"), root)


def _parse_link(fields: Fields) -> Link:
    previous = None if fields.body.get("previous") is None else fields.hex("previous", ID_SIZE)
    counter = fields.number("counter")
    if counter < 1 or (previous is None) != (counter == 1):
        raise fields.wrong("counter")
    return Link(fields.text("chain"), counter, previous.hex() if previous else None)


def _parse_removed(row: Fields) -> Removed:
    return Removed(
        snapshot=row.hex("snapshot", ID_SIZE).hex(),
        link=_parse_link(row),
        run=UUID(bytes=row.hex("run", KEY_ID_SIZE)),
        backup_id=row.text("backup_id"),
    )


def _parse_witness(row: object, fields: Fields) -> Witness:
    if not isinstance(row, list) or len(row) != len(Witness._fields):
        raise fields.wrong("witnesses")
    body = Fields(dict(zip(Witness._fields, row, strict=True)), fields.name)
    return Witness(body.text("chain"), body.number("counter"), body.hex("snapshot", ID_SIZE).hex())
