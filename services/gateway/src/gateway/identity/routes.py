"""Logging in, out, and asking who one is."""

from typing import Annotated

from fastapi import Depends, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.requests import Request

from common.crypto.passwords import LONGEST
from common.web import error_answers
from gateway.identity import cookies
from gateway.identity.access import (
    TheCaller,
    TheIdentity,
    guarded_router,
    limited,
    public,
    session,
    the_client,
)
from gateway.identity.answers import Me, SessionAnswer, begun_answer
from gateway.identity.domain import Client, Limit
from gateway.limits import devices
from gateway.limits.domain import Kind
from gateway.text import PRINTABLE

router = guarded_router(prefix="/api/auth", tags=["auth"])


class Login(BaseModel):
    """A user's name and password."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"username": "admin", "password": "correct-horse-battery"}]}
    )

    username: str = Field(min_length=1, max_length=200, pattern=PRINTABLE)
    password: SecretStr = Field(min_length=1, max_length=LONGEST)
    cookie: bool = Field(
        default=False,
        description="Keep the token in a cookie that no script can read, for a console.",
    )


@router.post("/login", responses=error_answers(400, 401, 403, 423, 429))
@limited(Kind.LOGIN)
@public
async def log_in(
    body: Login,
    request: Request,
    response: Response,
    identity: TheIdentity,
    client: Annotated[Client, Depends(the_client)],
) -> SessionAnswer:
    """Begin a session. A user has few at a time: the oldest ends when another begins.

    `limit` says what has to be done before the session is good for anything else.
    """
    if body.cookie and cookies.foreign(request):
        await identity.refuse_forged(client)
    begun = await identity.log_in(
        body.username, body.password.get_secret_value(), client, devices.token_of(request)
    )
    if begun.device:
        devices.remember(response, begun.device, secure=cookies.secure(request))
    return begun_answer(request, response, begun, cookie=body.cookie)


@router.post("/logout", status_code=204, response_class=Response)
@session(limits=Limit)
async def log_out(request: Request, caller: TheCaller, identity: TheIdentity) -> Response:
    """End this session; its token is worth nothing from now on."""
    await identity.log_out(caller)
    response = Response(status_code=204)
    if cookies.token_of(request):
        cookies.forget(request, response)
    return response


@router.get("/me")
@session(limits=Limit, keys=True)
async def show_me(request: Request, caller: TheCaller) -> Me:
    """Show who this session or key belongs to, and what it may do."""
    return Me.of(caller, csrf_token=cookies.csrf_shown(request))
