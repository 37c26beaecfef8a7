"""OpenID Connect over HTTP: two addresses that a browser visits."""

from typing import Annotated, Any

from fastapi import Depends, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from common.web import error_answers
from gateway.identity import cookies
from gateway.identity.access import client_of, guarded_router, limited, public
from gateway.identity.domain import Client
from gateway.limits.domain import Kind
from gateway.oidc.handlers import Oidc

router = guarded_router(prefix="/api/auth/oidc", tags=["auth"])

AWAY: dict[int | str, dict[str, Any]] = {
    303: {
        "description": "Where the browser goes on.",
        "headers": {"Location": {"schema": {"type": "string"}}},
    }
}


def _oidc_of(request: Request) -> Oidc:
    oidc = request.app.state.oidc
    if not isinstance(oidc, Oidc):
        raise TypeError(oidc)
    return oidc


TheOidc = Annotated[Oidc, Depends(_oidc_of)]
Code = Annotated[str, Query(max_length=4096)]
State = Annotated[str, Query(max_length=200)]


@router.get("/login", status_code=303, response_class=Response, responses=AWAY | error_answers(404))
@limited(Kind.LOGIN)
@public
async def go_to_provider(request: Request, oidc: TheOidc) -> Response:
    """Send the browser to the provider to log in there."""
    address, browser = await oidc.begin()
    response = RedirectResponse(address, status_code=303)
    cookies.begin_journey(request, response, browser)
    return response


@router.get(
    "/callback",
    status_code=303,
    response_class=Response,
    responses=AWAY | error_answers(401, 403, 404, 409),
)
@limited(Kind.LOGIN)
@public
async def come_back(
    request: Request,
    oidc: TheOidc,
    client: Annotated[Client, Depends(client_of)],
    code: Code = "",
    state: State = "",
) -> Response:
    """Begin a session by cookie for whom the provider has logged in, and go to the console."""
    begun = await oidc.finish(code, state, cookies.journey_of(request), client)
    response = RedirectResponse("/", status_code=303)
    cookies.end_journey(request, response)
    cookies.keep(request, response, begun.token)
    return response
