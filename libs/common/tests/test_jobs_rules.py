"""What is decided about jobs and databases without a server."""

import asyncpg
import pytest
from pydantic import SecretStr

from common.db import is_transient
from common.db.address import place
from common.errors import Conflict, Unavailable
from common.jobs import Rules


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 1), (2, 7), (3, 7), (99, 7)])
def test_the_last_delay_repeats(attempt: int, seconds: float) -> None:
    """A job that may be tried more often than there are steps must not break on it."""
    assert Rules(retry_delays=(1, 7)).delay(attempt) == seconds


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:hunter2@db:5433/shop", "ann@db:5433/shop"),
        ("postgresql://ann:hunter2@/shop?host=/run/pg", "ann@/run/pg/shop"),
        ("postgresql://db/shop", "db/shop"),
        ("postgresql://ann:hunter2@db:port/shop", "the configured address"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    """Messages about a database that is away go into logs and onto screens."""
    assert place(SecretStr(url)) == shown


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (asyncpg.DeadlockDetectedError(), True),
        (asyncpg.CannotConnectNowError(), True),
        (asyncpg.ConnectionDoesNotExistError(), True),
        (asyncpg.InterfaceError("connection is closed"), True),
        (asyncpg.InterfaceError("the server expects 1 argument for this query, 2 passed"), False),
        (asyncpg.UniqueViolationError(), False),
        (ConnectionRefusedError(), True),
        (Unavailable(), True),
        (Conflict(), False),
        (ValueError(), False),
    ],
)
def test_only_what_passes_by_itself_is_waited_for(error: Exception, transient: bool) -> None:
    """A bug taken for an outage holds its queue up; an outage taken for a bug loses work."""
    assert is_transient(error) is transient
