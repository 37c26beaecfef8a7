"""Logging in, out, and asking who one is."""

from typing import Annotated, Literal

from fastapi import Depends, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from common.crypto.passwords import LONGEST
from common.web import error_answers
from gateway.identity.access import (
    TheCaller,
    TheIdentity,
    client_of,
    guarded_router,
    logged_in,
    public,
)
from gateway.identity.domain import Caller, Client
from gateway.text import PRINTABLE

router = guarded_router(prefix="/api/auth", tags=["auth"])


class Login(BaseModel):
    """A user's name and password."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"username": "admin", "password": "correct-horse-battery"}]}
    )

    username: str = Field(min_length=1, max_length=200, pattern=PRINTABLE)
    password: SecretStr = Field(min_length=1, max_length=LONGEST)


class Me(BaseModel):
    """A user and what the user may do."""

    user_id: str = Field(examples=["019ab0c4-7d1e-7c3a-9b57-6a1f0f3c2d11"])
    name: str = Field(examples=["admin"])
    permissions: list[str] = Field(examples=[["backups:read", "manage_settings"]])

    @classmethod
    def of(cls, caller: Caller) -> "Me":
        """The caller, as shown."""
        return cls(user_id=caller.user_id, name=caller.name, permissions=sorted(caller.permissions))


class Session(BaseModel):
    """A new session. The token is shown this once; send it as ``Authorization: Bearer <token>``."""

    token: str = Field(examples=["k3JcX0qv9RZt2nLw…"])
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the kind of token, none itself
    expires_in: int = Field(
        description="Seconds without any request after which the session ends.", examples=[1800]
    )
    user: Me


@router.post("/login", responses=error_answers(400, 401, 423, 429))
@public
async def log_in(
    body: Login, identity: TheIdentity, client: Annotated[Client, Depends(client_of)]
) -> Session:
    """Begin a session. A user has few at a time: the oldest ends when another begins."""
    begun = await identity.log_in(body.username, body.password.get_secret_value(), client)
    return Session(token=begun.token, expires_in=begun.idle_seconds, user=Me.of(begun.caller))


@router.post("/logout", status_code=204, response_class=Response)
@logged_in
async def log_out(caller: TheCaller, identity: TheIdentity) -> None:
    """End this session; its token is worth nothing from now on."""
    await identity.log_out(caller)


@router.get("/me")
@logged_in
async def show_me(caller: TheCaller) -> Me:
    """Show who this session belongs to, and what it may do."""
    return Me.of(caller)
