"""What asyncpg raises, and what it means here."""

import asyncpg

FAULTS = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InterfaceError,
)
"""What another try, or an operator, may mend."""


def reason_of(error: BaseException) -> str:
    """A few words for an operator, without anything secret."""
    match error:
        case asyncpg.InvalidAuthorizationSpecificationError():
            return "it refuses the login"
        case asyncpg.InvalidCatalogNameError():
            return "the database is not there"
        case TimeoutError():
            return "no answer in time"
        case OSError(strerror=str(text)):
            return text
        case _:
            return type(error).__name__
