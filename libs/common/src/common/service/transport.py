"""Which bus a service speaks on: RabbitMQ where AMQP_URL is set, else PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from common.bus.transport import Transport
from common.config import BusSettings
from common.errors import Invalid


def choose(settings: BusSettings, name: str) -> Transport:
    """The transport of the settings, not yet started, for the service ``name``.

    Raises:
        Invalid: neither address is set.
    """
    # Each is imported where it is used: a service loads one of the two.
    if settings.amqp_url.get_secret_value():
        from common.bus.amqp import AmqpTransport, client_context  # noqa: PLC0415

        context = client_context(
            settings.amqp_url,
            settings.amqp_ca_file,
            settings.amqp_certificate_file,
            settings.amqp_key_file,
        )
        return AmqpTransport(settings.amqp_url, name=name, tls=context)
    if settings.strongroom_bus_url.get_secret_value():
        from common.bus.postgres import PostgresTransport  # noqa: PLC0415

        return PostgresTransport(settings.strongroom_bus_url, name=name)
    raise Invalid(
        "AMQP_URL is not set: the message bus, amqp://user:password@host:5672/vhost.",
        remedy="Without RabbitMQ set STRONGROOM_BUS_URL, a PostgreSQL address, instead.",
    )


@asynccontextmanager
async def open_transport(settings: BusSettings, name: str) -> AsyncIterator[Transport]:
    """The transport of the settings, connected for the length of the block."""
    transport = choose(settings, name)
    await transport.start()
    try:
        yield transport
    finally:
        await transport.close()
