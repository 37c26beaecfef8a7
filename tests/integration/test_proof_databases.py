"""The comparison of a restored database with its original, on a real server."""

from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import asyncpg
import pytest

from standalone.postgres import BACKUP_ROLE, Cluster
from standalone.proof.databases import Moment, compare, now

Url = Callable[[str], str]
TABLE = "CREATE TABLE thing (id int PRIMARY KEY, name text DEFAULT 'x', at timestamptz, doc jsonb)"


class Pair:
    """Two databases that were the same at ``began``, and the gateway's schema in each."""

    def __init__(self, urls: tuple[Url, Url], began: Moment) -> None:
        self.urls = urls
        self.began = began

    async def change(self, which: int, statement: str) -> None:
        connection = await asyncpg.connect(self.urls[which]("gateway"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def differences(self) -> list[str]:
        original, restored = (url(BACKUP_ROLE) for url in self.urls)
        found = await compare(original, restored, self.began)
        return found.differences


@pytest.fixture
async def pair(postgres_server: Cluster) -> AsyncIterator[Pair]:
    names = [f"proof_{uuid4().hex[:8]}" for _ in range(2)]
    for name in names:
        postgres_server.create_database(name)
    left, right = names
    made = Pair(
        (
            lambda role: postgres_server.url(role, left),
            lambda role: postgres_server.url(role, right),
        ),
        Moment(0),
    )
    for which in range(2):
        await made.change(which, TABLE)
        await made.change(
            which, "INSERT INTO thing SELECT n, 'n' || n FROM generate_series(1, 50) n"
        )
    made.began = await now(postgres_server.url(BACKUP_ROLE, left))
    yield made
    for name in names:
        postgres_server.drop_database(name)


async def test_equal_databases_are_equal(pair: Pair) -> None:
    """Lost: belief in a proof that cries wolf."""
    assert await pair.differences() == []


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE thing SET name = 'changed' WHERE id = 7", "1 rows did not come back"),
        ("DELETE FROM thing WHERE id > 40", "10 rows did not come back"),
        ("DROP TABLE thing", "did not come back"),
        ("ALTER TABLE thing DROP CONSTRAINT thing_pkey", "did not come back"),
        ("ALTER TABLE thing ALTER name SET DEFAULT 'y'", "did not come back"),
        ("CREATE INDEX more ON thing (name)", "was not there"),
    ],
)
async def test_what_a_restore_lost_or_changed_is_seen(
    pair: Pair, statement: str, words: str
) -> None:
    """Lost: a database that is wrong in this way and is called proven."""
    await pair.change(1, statement)
    assert any(words in each for each in await pair.differences())


async def test_the_original_goes_on_working(pair: Pair) -> None:
    """Lost: a proof on a database that is in use, which every one worth a backup is."""
    await pair.change(0, "UPDATE thing SET name = 'newer' WHERE id < 5")
    await pair.change(0, "DELETE FROM thing WHERE id = 20")
    await pair.change(0, "INSERT INTO thing VALUES (99, 'new')")
    assert await pair.differences() == []


async def test_an_old_row_is_still_missed_on_a_busy_original(pair: Pair) -> None:
    """Lost: damage that hides behind what was written meanwhile."""
    await pair.change(0, "UPDATE thing SET name = 'newer' WHERE id < 5")
    await pair.change(1, "DELETE FROM thing WHERE id = 30")
    assert await pair.differences() == [
        "table gateway.thing: 1 rows did not come back as they were"
    ]
