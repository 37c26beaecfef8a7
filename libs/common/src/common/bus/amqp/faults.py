"""What the client library raises, and what it means here."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from aio_pika.exceptions import AMQPError
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import ChannelAccessRefused, ChannelNotFoundEntity
from pamqp.exceptions import PAMQPException

from common.errors import Forbidden

FAULTS = (AMQPError, PAMQPException, OSError, RuntimeError, TimeoutError)
"""What a lost connection, a closed channel or a missing queue may show itself as."""

MISSING = ChannelNotFoundEntity


class Lost(ConnectionError):
    """The connection went while something waited for its answer."""


@contextmanager
def faults() -> Iterator[None]:
    """Tell apart what the library mixes.

    It reports a lost connection by cancelling who waits, which is no wish that this task ends. And
    a missing right is not a fault that another try mends.
    """
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise Lost("The connection was lost.") from None
    except ChannelAccessRefused as error:
        raise Forbidden(
            f"RabbitMQ refuses this login: {error}",
            remedy="Compare its permissions with deploy/rabbitmq/definitions.json.",
        ) from None


class _Silent(logging.Filter):
    """Drops what would show a message's body."""

    def filter(self, record: logging.LogRecord) -> bool:
        arguments = record.args if isinstance(record.args, tuple) else ()
        return not any(isinstance(argument, DeliveredMessage) for argument in arguments)


def keep_bodies_out_of_logs() -> None:
    """The library logs frames, and so bodies, when it debugs, and one that came back too late."""
    for name in ("aiormq", "aio_pika"):
        logging.getLogger(name).setLevel(logging.WARNING)
    channel = logging.getLogger("aiormq.channel")
    if not any(isinstance(found, _Silent) for found in channel.filters):
        channel.addFilter(_Silent())
