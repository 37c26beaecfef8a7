"""The SQL of audit-sink."""

from collections.abc import Sequence
from uuid import UUID

from audit_sink.domain import GENESIS, Finding, Head, Link, published, verify_chain
from common.db import Connection, Pool
from common.messages import AuditPage, QueryAudit

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.audit_log', 0))"
_HEAD = "SELECT seq, hash FROM audit_log ORDER BY seq DESC LIMIT 1"
_INSERT = """
    INSERT INTO audit_log (id, seq, entry, hash, occurred_at, event_type, risk_level)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_AFTER = """
    SELECT seq, entry, hash, occurred_at, event_type, risk_level FROM audit_log
    WHERE seq > $1 ORDER BY seq LIMIT $2
"""
_MATCHING = """
    FROM audit_log
    WHERE ($1::timestamptz IS NULL OR occurred_at >= $1)
      AND ($2::timestamptz IS NULL OR occurred_at < $2)
      AND ($3::text IS NULL OR event_type = $3)
      AND ($4::text IS NULL OR risk_level = $4)
"""
_COUNT = f"SELECT count(*) {_MATCHING}"
_PAGE = f"SELECT entry, hash {_MATCHING} ORDER BY occurred_at DESC, seq DESC LIMIT $5 OFFSET $6"
_BATCH = 1000


async def lock_head(connection: Connection) -> Head:
    """The end of the chain; until the transaction ends nobody else can append."""
    await connection.execute(_LOCK)
    row = await connection.fetchrow(_HEAD)
    return Head(row["seq"], row["hash"]) if row else GENESIS


async def append(connection: Connection, links: Sequence[tuple[UUID, Link]]) -> None:
    """Add links, each with the id of its event, to the chain whose head is locked."""
    rows = [
        (id_, each.seq, each.entry, each.hash, each.occurred_at, each.event_type, each.risk_level)
        for id_, each in links
    ]
    await connection.executemany(_INSERT, rows)


async def after(connection: Connection, seq: int, limit: int = _BATCH) -> list[Link]:
    """The next links behind ``seq``."""
    return [Link(**dict(row)) for row in await connection.fetch(_AFTER, seq, limit)]


async def query(connection: Connection, question: QueryAudit) -> AuditPage:
    """The entries that match, newest first."""
    wanted = (question.start, question.end, question.event_type, question.risk_level)
    total: int = await connection.fetchval(_COUNT, *wanted)
    rows = await connection.fetch(_PAGE, *wanted, question.limit, question.offset)
    entries = tuple(published(row["entry"], row["hash"]) for row in rows)
    return AuditPage(entries=entries, total=total)


async def verify(pool: Pool) -> tuple[Head, list[Finding]]:
    """Check the whole chain in the table, a batch at a time."""
    reached, findings = GENESIS, list[Finding]()
    while True:
        async with pool.acquire(timeout=10) as connection:
            links = await after(connection, reached.seq)
        if not links:
            return reached, findings
        reached, found = verify_chain(links, reached)
        findings += found


async def hashes(pool: Pool, seqs: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Entry and hash of each of these places that the table has."""
    rows = await pool.fetch(
        "SELECT seq, entry, hash FROM audit_log WHERE seq = ANY($1::bigint[])", seqs
    )
    return {row["seq"]: (row["entry"], row["hash"]) for row in rows}
