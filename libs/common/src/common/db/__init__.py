"""PostgreSQL: the pool, transactions, migrations, LISTEN."""

from common.db.listener import Listener
from common.db.migrations import Source, migrate
from common.db.pool import Connection, Pool, borrowed, connect, transaction
from common.db.transient import is_open, is_transient, retrying

__all__ = [
    "Connection",
    "Listener",
    "Pool",
    "Source",
    "borrowed",
    "connect",
    "is_open",
    "is_transient",
    "migrate",
    "retrying",
    "transaction",
]
