"""Requests that are right but for who sends them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from integration.gateway.site import Site


@dataclass(frozen=True)
class Sample:
    """A path, a body, and the good answer."""

    path: str
    json: Any = None
    status: int = 200
    files: Any = None


Prepare = Callable[[Site], Awaitable[Sample]]


def fixed(path: str, json: Any = None, status: int = 200) -> Prepare:
    """A request that needs nothing to be there."""

    async def prepare(site: Site) -> Sample:
        return Sample(path, json, status)

    return prepare
