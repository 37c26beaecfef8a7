"""Compares a restored database with the one that it was taken from, which goes on working.

What the original has now is not what it had when the dump was taken. But every row that was
committed before the backup began and has not been written since must be in the restored database,
bit for bit; PostgreSQL knows which those are (``xmin``). Rows that were written meanwhile are
counted, not compared. That nothing was invented follows from the tables that nobody wrote to: these
must be equal in both directions.
"""

from collections import Counter
from dataclasses import dataclass

import asyncpg

from standalone.proof.findings import Comparison

TABLES = """
    SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
    ORDER BY 1
"""
# Everything else that a schema consists of, as text that both servers print alike.
SHAPE = """
    SELECT 'column ' || format('%I.%I.%I %s %s %s', n.nspname, c.relname, a.attname,
           format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v')
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped
      AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    UNION ALL
    SELECT 'constraint ' || conrelid::regclass || ' ' || pg_get_constraintdef(o.oid)
    FROM pg_constraint o JOIN pg_namespace n ON n.oid = o.connamespace
    WHERE conrelid <> 0 AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    UNION ALL
    SELECT 'index ' || indexdef FROM pg_indexes
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
    UNION ALL
    SELECT 'function ' || pg_get_functiondef(p.oid)
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND p.prokind IN ('f', 'p')
    UNION ALL
    SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
"""
ROW = "md5(t::text)::uuid"


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in the life of a database: older transactions were over by then."""

    transaction: int


async def now(url: str) -> Moment:
    """This moment, taken before a backup is asked for."""
    connection = await asyncpg.connect(url)
    try:
        xmin = await connection.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
    finally:
        await connection.close()
    return Moment(int(xmin))


async def compare(original: str, restored: str, began: Moment) -> Comparison:
    """Compare two databases, given by their URLs; ``began`` is from before the backup."""
    found = Comparison()
    left, right = await asyncpg.connect(original), await asyncpg.connect(restored)
    try:
        # Qualified names everywhere, whoever looks.
        for connection in (left, right):
            await connection.execute("SET search_path = ''")
        await _compare_shapes(left, right, found)
        tables = [row[0] for row in await left.fetch(TABLES)]
        present = {row[0] for row in await right.fetch(TABLES)}
        equal = rows = 0
        for table in tables:
            if table not in present:
                found.differ(f"table {table} did not come back")
                continue
            same, count = await _compare_table(left, right, table, began, found)
            equal, rows = equal + same, rows + count
        found.compared = f"{len(tables)} tables, {rows:,} rows"
        if found.changed_since:
            found.since = (
                f"{found.changed_since:,} rows written since, in {len(tables) - equal} tables"
            )
    finally:
        await left.close()
        await right.close()
    return found


async def _compare_shapes(
    left: asyncpg.Connection, right: asyncpg.Connection, found: Comparison
) -> None:
    expected = {row[0] for row in await left.fetch(SHAPE)}
    got = {row[0] for row in await right.fetch(SHAPE)}
    for text in sorted(expected - got):
        found.differ(f"{' '.join(text.split())[:160]} did not come back")
    for text in sorted(got - expected):
        found.differ(f"{' '.join(text.split())[:160]} was not there")


async def _compare_table(
    left: asyncpg.Connection,
    right: asyncpg.Connection,
    table: str,
    began: Moment,
    found: Comparison,
) -> tuple[bool, int]:
    """Whether nothing was written since, and how many rows were compared."""
    # age() compares transaction numbers as the server does, across their wrap-around.
    settled = "age(t.xmin) > age(($1::bigint % 4294967296)::text::xid)"
    query = f"SELECT {ROW} AS row, {settled} AS settled FROM {table} t"  # noqa: S608 - quoted by the server
    expected: Counter[bytes] = Counter()
    newer = 0
    async with left.transaction(isolation="repeatable_read", readonly=True):
        async for record in left.cursor(query, began.transaction):
            if record["settled"]:
                expected[record["row"].bytes] += 1
            else:
                newer += 1
    got: Counter[bytes] = Counter()
    async with right.transaction(readonly=True):
        async for record in right.cursor(f"SELECT {ROW} AS row FROM {table} t"):  # noqa: S608 - the same
            got[record["row"].bytes] += 1
    lost = expected - got
    if lost:
        found.differ(f"table {table}: {lost.total()} rows did not come back as they were")
    written = max(newer, (got - expected).total())
    found.changed_since += written
    return not written, expected.total()
