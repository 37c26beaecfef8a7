"""Takes one message, says so, and holds it until it is killed."""

import asyncio
import os
import sys

from pydantic import SecretStr

from common.bus.amqp import AmqpTransport
from common.bus.postgres import PostgresTransport
from common.bus.transport import Policy


async def hold(queue: str, url: SecretStr) -> None:
    """Take a message from ``queue`` and never settle it."""
    kind = AmqpTransport if url.get_secret_value().startswith("amqp") else PostgresTransport
    transport = kind(url, name="victim", policy=Policy(visibility=1.0))
    await transport.start()
    if await transport.take(queue, 60) is not None:
        sys.stdout.write("taken\n")
        sys.stdout.flush()
        await asyncio.sleep(60)


asyncio.run(hold(sys.argv[1], SecretStr(os.environ["BUS_URL"])))
