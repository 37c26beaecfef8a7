"""A service, as its ``main`` module declares it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from common.config import ServiceSettings
from common.service.runtime import Runtime

S = TypeVar("S", bound=ServiceSettings)


@dataclass(frozen=True)
class Service(Generic[S]):
    """``wire`` registers what the service consumes, answers and runs; nothing starts before it
    has yielded, and everything has stopped before it goes on after its yield.
    """

    name: str
    settings: type[S]
    wire: Callable[[Runtime[S]], AbstractAsyncContextManager[None]]
    migrations: Path

    @property
    def schema(self) -> str:
        """The service's own schema in the database."""
        return self.name.replace("-", "_")
