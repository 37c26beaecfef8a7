"""Starting a bus: what is wrong with an address, a login or a database is said in a sentence."""

import asyncio
from collections.abc import Callable

import asyncpg
import pytest
from pydantic import SecretStr
from yarl import URL

from common.bus.amqp import AmqpTransport
from common.bus.postgres import PostgresTransport
from common.bus.transport import Policy
from common.errors import Conflict, Error, Forbidden, Invalid, Unavailable
from common.messages import JobProgressed, seal
from integration.rabbitmq_node import Broker

Url = Callable[[str], str]
IMPATIENT = Policy(connect_timeout=8.0)
"""For what is tried until the end of it; a busy server has answered by then."""


@pytest.mark.parametrize(
    "url", ["", "http://host/", "amqp:///", "password", "amqp://u:password@h:x"]
)
def test_an_address_that_is_none_is_refused_unseen(url: str) -> None:
    """Lost: time with a typing error; or the password in the log that reports it."""
    with pytest.raises(Invalid) as raised:
        AmqpTransport(SecretStr(url), name="gateway")
    assert "u:password" not in str(raised.value)


async def refused(transport: AmqpTransport | PostgresTransport) -> Error:
    """The error with which it does not start."""
    with pytest.raises(Error) as raised:
        await transport.start()
    await transport.close()
    return raised.value


async def test_a_wrong_password_is_named_and_not_shown(rabbitmq: Broker, database_url: Url) -> None:
    """Lost: an hour of looking for a network problem."""
    amqp = str(URL(rabbitmq.url).with_password("not-this-one"))
    postgres = database_url("bus").replace(":", "\n").split("\n")  # scheme, user, rest
    postgres[2] = "not-this-one@" + postgres[2].split("@", 1)[1]
    for error in await asyncio.gather(
        refused(AmqpTransport(SecretStr(amqp), name="gateway", policy=IMPATIENT)),
        refused(PostgresTransport(SecretStr(":".join(postgres)), name="g", policy=IMPATIENT)),
    ):
        assert isinstance(error, Unavailable)
        assert "refuses the login" in str(error)
        assert "not-this-one" not in str(error)


async def test_a_role_without_the_schema_is_told_what_to_run(database_url: Url) -> None:
    """Lost: the operator, in a message of PostgreSQL's about a table."""
    url = SecretStr(database_url("gateway"))
    error = await refused(PostgresTransport(url, name="gateway"))
    assert isinstance(error, Forbidden)
    assert "init.sql" in error.remedy


async def test_the_embedded_bus_keeps_nothing_that_is_over(database_url: Url) -> None:
    """Lost: the disk, to one row for each second of progress."""
    transport = PostgresTransport(SecretStr(database_url("bus")), name="worker")
    await transport.start()
    connection = await asyncpg.connect(database_url("bus"))
    try:
        message = JobProgressed(operation_id="o", kind="backup", phase="data")
        await transport.publish(seal(message, source="backup-worker"))
        await connection.execute("UPDATE bus.events SET sent_at = sent_at - interval '2 minutes'")
        await transport.publish(seal(message, source="backup-worker"))
        await transport._taker.tidy()
        assert await connection.fetchval("SELECT count(*) FROM bus.events") == 1
    finally:
        await connection.close()
        await transport.close()


async def test_a_changed_migration_stops_the_start(database_url: Url) -> None:
    """Lost: two databases of one version that differ."""
    connection = await asyncpg.connect(database_url("bus"))
    try:
        transport = PostgresTransport(SecretStr(database_url("bus")), name="worker")
        await transport.start()
        await transport.close()
        await connection.execute("UPDATE bus.schema_migrations SET sha256 = 'other'")
        again = PostgresTransport(SecretStr(database_url("bus")), name="worker")
        assert isinstance(await refused(again), Conflict)
    finally:
        await connection.close()
