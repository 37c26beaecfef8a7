"""What every route may use of the platform."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from common.service import Runtime
from gateway.settings import GatewaySettings


async def _platform_of(request: Request) -> Runtime[GatewaySettings]:
    runtime = request.app.state.runtime
    if not isinstance(runtime, Runtime):
        raise TypeError(runtime)
    return runtime


ThePlatform = Annotated[Runtime[GatewaySettings], Depends(_platform_of)]
