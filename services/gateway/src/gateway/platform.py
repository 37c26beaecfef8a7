"""What every route may use of the platform, and of what the application keeps for some."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import Depends
from starlette.requests import Request

from common.service import Runtime
from gateway.settings import GatewaySettings

T = TypeVar("T")


def found_in(request: Request, name: str, kind: type[T]) -> T:
    """What the application keeps under ``name``."""
    found = getattr(request.app.state, name)
    if not isinstance(found, kind):
        raise TypeError(found)
    return found


def kept(name: str, kind: type[T]) -> Callable[[Request], Awaitable[T]]:
    """The same as a dependency."""

    # Async, as all are: the framework would hand each of the others to a thread, which costs more
    # than finding the caller does.
    async def find(request: Request) -> T:
        return found_in(request, name, kind)

    return find


ThePlatform = Annotated[Runtime[GatewaySettings], Depends(kept("runtime", Runtime))]
