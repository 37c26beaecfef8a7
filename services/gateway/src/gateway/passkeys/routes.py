"""Passkeys over HTTP."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.requests import Request

from common.db import borrowed
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
from gateway.identity.answers import SessionAnswer, begun_answer
from gateway.identity.domain import Client, Limit
from gateway.limits.domain import Kind
from gateway.passkeys import store
from gateway.passkeys.ceremony import Ceremony
from gateway.passkeys.handlers import Passkeys
from gateway.passkeys.store import Passkey
from gateway.platform import ThePlatform
from gateway.text import PRINTABLE
from gateway.validation.fields import harmless

router = guarded_router(prefix="/api/auth/passkeys", tags=["auth"])


async def _passkeys_of(platform: ThePlatform, identity: TheIdentity) -> Passkeys:
    return Passkeys(platform, identity, Ceremony(platform.settings.gateway_public_url))


ThePasskeys = Annotated[Passkeys, Depends(_passkeys_of)]


class Asked(BaseModel):
    """What to give to ``navigator.credentials``, and the token to send with its answer."""

    token: str = Field(examples=["k3JcX0qv9RZt2nLw…"])
    options: dict[str, Any] = Field(examples=[{"challenge": "…", "rpId": "backup.example.com"}])


class Answer(BaseModel):
    """What ``navigator.credentials`` has answered, as JSON."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"token": "k3JcX0qv9RZt2nLw…", "credential": {"id": "…", "type": "public-key"}}
            ]
        },
    )

    token: str = Field(min_length=1, max_length=100)
    credential: dict[str, Any] = Field(max_length=32)


class NewPasskey(Answer):
    """The answer, and what to call the device."""

    name: Annotated[
        str,
        Field(min_length=1, max_length=100, pattern=PRINTABLE, examples=["laptop"]),
        AfterValidator(harmless),
    ] = "passkey"


class LoginAnswer(Answer):
    """The answer, and how the session is kept."""

    cookie: bool = Field(
        default=False,
        description="Keep the token in a cookie that no script can read, for a console.",
    )


class PasskeyAnswer(BaseModel):
    """A passkey, without its key."""

    id: str = Field(examples=["019ab0c4-7d1e-7c3a-9b57-6a1f0f3c2d11"])
    name: str = Field(examples=["laptop"])
    created_at: datetime
    last_used_at: datetime | None

    @classmethod
    def of(cls, passkey: Passkey) -> "PasskeyAnswer":
        """The passkey, as shown."""
        return cls(
            id=passkey.id,
            name=passkey.name,
            created_at=passkey.created_at,
            last_used_at=passkey.last_used_at,
        )


class MadePasskey(PasskeyAnswer):
    """A new passkey; recovery codes come with it unless there are some left."""

    recovery_codes: list[str] = Field(
        description="Each for one time; shown this once.", examples=[["k7xm-2fqa-p9wd-h4tz"]]
    )


class PasskeysAnswer(BaseModel):
    """The passkeys of a user, oldest first."""

    passkeys: list[PasskeyAnswer]


@router.get("")
@session()
async def list_own(caller: TheCaller, platform: ThePlatform) -> PasskeysAnswer:
    """List one's own passkeys."""
    async with borrowed(platform.pool) as connection:
        found = await store.of_user(connection, caller.user_id)
    return PasskeysAnswer(passkeys=[PasskeyAnswer.of(passkey) for passkey in found])


@router.post("/registration", responses=error_answers(409))
@session(fresh=True, limits=[Limit.ENROLMENT])
async def begin_registration(caller: TheCaller, passkeys: ThePasskeys) -> Asked:
    """Begin to make a passkey. The answer of the device has to come within five minutes."""
    token, options = await passkeys.begin_registration(caller)
    return Asked(token=token, options=options)


@router.post("", status_code=201, responses=error_answers(409))
@session(fresh=True, limits=[Limit.ENROLMENT])
async def register(body: NewPasskey, caller: TheCaller, passkeys: ThePasskeys) -> MadePasskey:
    """Keep a passkey that was made. From now on every login by password asks for a factor more."""
    made, codes = await passkeys.register(caller, body.token, body.name, body.credential)
    return MadePasskey(**PasskeyAnswer.of(made).model_dump(), recovery_codes=codes)


@router.delete(
    "/{passkey_id}", status_code=204, response_class=Response, responses=error_answers(404)
)
@session(fresh=True)
async def remove(passkey_id: UUID, caller: TheCaller, passkeys: ThePasskeys) -> None:
    """Forget one of one's own passkeys."""
    await passkeys.remove(caller, str(passkey_id))


@router.post("/login/begin")
@limited(Kind.LOGIN)
@public
async def begin_login(passkeys: ThePasskeys) -> Asked:
    """Begin to log in by a passkey. Nothing is said of who has one."""
    token, options = await passkeys.begin_login()
    return Asked(token=token, options=options)


@router.post("/login", responses=error_answers(401, 403))
@limited(Kind.LOGIN)
@public
async def log_in(
    body: LoginAnswer,
    request: Request,
    response: Response,
    identity: TheIdentity,
    passkeys: ThePasskeys,
    client: Annotated[Client, Depends(the_client)],
) -> SessionAnswer:
    """Begin a session by a passkey. No password and no code is asked for."""
    if body.cookie and cookies.foreign(request):
        await identity.refuse_forged(client)
    begun = await passkeys.log_in(body.token, body.credential, client)
    return begun_answer(request, response, begun, cookie=body.cookie)


@router.post("/verify/begin")
@session(limits=[Limit.SECOND_FACTOR])
async def begin_proof(caller: TheCaller, passkeys: ThePasskeys) -> Asked:
    """Begin to give a passkey as second factor, or as a fresh one."""
    token, options = await passkeys.begin_proof(caller)
    return Asked(token=token, options=options)


@router.post("/verify", responses=error_answers(423))
@session(limits=[Limit.SECOND_FACTOR])
async def prove(
    body: Answer,
    request: Request,
    response: Response,
    caller: TheCaller,
    passkeys: ThePasskeys,
) -> SessionAnswer:
    """Complete a login, or give a fresh factor. The session goes on under a new token."""
    begun = await passkeys.prove(caller, body.token, body.credential)
    return begun_answer(request, response, begun, cookie=cookies.by_cookie(request))
