"""The bus on RabbitMQ 3.10 to 4.x. Queues and exchanges: ``topology``."""

from common.bus.amqp.tls import client_context
from common.bus.amqp.transport import AmqpTransport

__all__ = ["AmqpTransport", "client_context"]
