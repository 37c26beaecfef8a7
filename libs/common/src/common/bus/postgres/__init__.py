"""The embedded bus: the same promises on PostgreSQL alone."""

from common.bus.postgres.transport import PostgresTransport

__all__ = ["PostgresTransport"]
