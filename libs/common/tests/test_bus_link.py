"""The connection to RabbitMQ where there is none."""

import gc

import pytest
from aio_pika import Connection
from aio_pika.abc import AbstractConnection
from pydantic import SecretStr

from common.bus.amqp.link import Link
from common.errors import Unavailable


async def nothing(_: AbstractConnection) -> None:
    return


async def test_attempts_that_fail_are_ended() -> None:
    """Lost: peace for whatever runs when a connection that nobody ended is collected."""
    link = Link(SecretStr("amqp://guest:guest@127.0.0.1:1/"), "test", nothing)
    gc.disable()
    try:
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
            await link.open(0.3)
        there = [each for each in gc.get_objects() if issubclass(type(each), Connection)]
    finally:
        gc.enable()
    found = [each for each in there if each.url.port == 1]  # others may be in use
    assert found
    assert all(each.is_closed for each in found)
