"""OpenID Connect over HTTP: two addresses that a browser visits, and linking accounts."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from common.web import error_answers
from gateway.identity import cookies
from gateway.identity.access import (
    TheCaller,
    guarded_router,
    limited,
    needs,
    public,
    session,
    the_client,
)
from gateway.identity.domain import Client, Permission
from gateway.limits.domain import Kind
from gateway.oidc import linking
from gateway.oidc.domain import LONGEST_SUBJECT
from gateway.oidc.handlers import Oidc
from gateway.platform import ThePlatform, kept
from gateway.text import PRINTABLE

router = guarded_router(prefix="/api/auth/oidc", tags=["auth"])
of_users = guarded_router(prefix="/api/users", tags=["users"])

AWAY: dict[int | str, dict[str, Any]] = {
    303: {
        "description": "Where the browser goes on.",
        "headers": {"Location": {"schema": {"type": "string"}}},
    }
}


class Journey(BaseModel):
    """Where to send the browser."""

    address: str = Field(examples=["https://login.example.com/authorize?client_id=strongroom&…"])


class PersonAt(BaseModel):
    """A person at the provider."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"subject": "248289761001"}]}
    )

    subject: str = Field(
        min_length=1,
        max_length=LONGEST_SUBJECT,
        pattern=PRINTABLE,
        description="The claim `sub` of the provider's ID tokens.",
    )


TheOidc = Annotated[Oidc, Depends(kept("oidc", Oidc))]
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
    client: Annotated[Client, Depends(the_client)],
    code: Code = "",
    state: State = "",
) -> Response:
    """Begin a session by cookie for whom the provider has logged in, and go to the console."""
    begun = await oidc.finish(code, state, cookies.journey_of(request), client)
    response = RedirectResponse("/", status_code=303)
    cookies.end_journey(request, response)
    if begun is not None:
        cookies.keep(request, response, begun.token)
    return response


@router.post("/link", responses=error_answers(404))
@limited(Kind.LOGIN)
@session(fresh=True)
async def begin_link(
    request: Request, response: Response, oidc: TheOidc, caller: TheCaller
) -> Journey:
    """Begin to link one's own account to oneself at the provider.

    The browser then logs in there, at `address`, and comes back. From then on that login opens
    this account, with the roles that it has here.
    """
    address, browser = await oidc.begin(caller)
    cookies.begin_journey(request, response, browser)
    return Journey(address=address)


@router.delete("/link", status_code=204, response_class=Response, responses=error_answers(404, 409))
@session(fresh=True)
async def part(caller: TheCaller, platform: ThePlatform) -> None:
    """Let the provider's login open one's own account no more."""
    await linking.unlink(platform, caller, caller.user_id)


@of_users.put(
    "/{user_id}/oidc", status_code=204, response_class=Response, responses=error_answers(404, 409)
)
@needs(Permission.USERS_MANAGE, fresh=True)
async def link_user(
    user_id: UUID, body: PersonAt, caller: TheCaller, platform: ThePlatform, oidc: TheOidc
) -> None:
    """Link another user to a person at the provider, by the person's subject there.

    Who logs in there as this person is this user, with the roles that the user has here.
    """
    await linking.link_other(platform, caller, str(user_id), oidc.issuer, body.subject)


@of_users.delete(
    "/{user_id}/oidc", status_code=204, response_class=Response, responses=error_answers(404, 409)
)
@needs(Permission.USERS_MANAGE, fresh=True)
async def part_user(user_id: UUID, caller: TheCaller, platform: ThePlatform) -> None:
    """Let the provider's login open a user's account no more; the roles stay."""
    await linking.unlink(platform, caller, str(user_id))
