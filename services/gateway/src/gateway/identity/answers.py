"""A session as the API shows it to who is in it."""

from typing import Literal

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from gateway.identity import cookies
from gateway.identity.domain import Caller, Limit
from gateway.identity.handlers import NewSession


class Me(BaseModel):
    """A user and what the user may do."""

    user_id: str = Field(examples=["019ab0c4-7d1e-7c3a-9b57-6a1f0f3c2d11"])
    name: str = Field(examples=["admin"])
    permissions: list[str] = Field(examples=[["backups:read", "manage_settings"]])
    limit: Limit | None = Field(
        default=None, description="What has to be done before anything else.", examples=[None]
    )
    fresh: bool = Field(default=True, description="Whether a factor was given lately.")
    station: str = Field(default="", description="The only station that an API key is for.")
    csrf_token: str | None = Field(
        default=None, description="For the header X-CSRF-Token, in a session by cookie."
    )

    @classmethod
    def of(cls, caller: Caller, csrf_token: str | None = None) -> "Me":
        """The caller, as shown."""
        return cls(
            user_id=caller.user_id,
            name=caller.name,
            permissions=sorted(caller.permissions),
            limit=caller.limit,
            fresh=caller.fresh,
            station=caller.station,
            csrf_token=csrf_token,
        )


class SessionAnswer(BaseModel):
    """A new session. The token is shown this once; send it as ``Authorization: Bearer <token>``.

    A session by cookie shows none; its unsafe requests send ``X-CSRF-Token`` instead.
    """

    token: str | None = Field(examples=["k3JcX0qv9RZt2nLw…"])
    token_type: Literal["bearer", "cookie"] = "bearer"  # noqa: S105 - the kind, none itself
    expires_in: int = Field(
        description="Seconds without any request after which the session ends.", examples=[1800]
    )
    limit: Limit | None = Field(
        default=None, description="What has to be done before anything else.", examples=[None]
    )
    csrf_token: str | None = Field(default=None, description="For the header X-CSRF-Token.")
    user: Me


def begun_answer(
    request: Request, response: Response, begun: NewSession, *, cookie: bool
) -> SessionAnswer:
    """The session to whoever began it: its token in the answer, or in a cookie."""
    csrf = None
    if cookie:
        cookies.keep(request, response, begun.token)
        csrf = cookies.csrf_token(begun.token)
    return SessionAnswer(
        token=None if cookie else begun.token,
        token_type="cookie" if cookie else "bearer",
        expires_in=begun.idle_seconds,
        limit=begun.caller.limit,
        csrf_token=csrf,
        user=Me.of(begun.caller, csrf),
    )
