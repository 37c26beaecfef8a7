"""The bus on RabbitMQ 3.10 to 4.x. Queues and exchanges: ``topology``."""

from common.bus.amqp.transport import AmqpTransport

__all__ = ["AmqpTransport"]
