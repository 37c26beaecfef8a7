"""API keys over HTTP."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from common.db import borrowed
from common.web import error_answers
from gateway.apikeys import handlers, store
from gateway.apikeys.store import Key, Wish
from gateway.identity.access import TheCaller, guarded_router, needs, session
from gateway.identity.domain import Permission
from gateway.platform import ThePlatform
from gateway.text import PRINTABLE
from gateway.validation.fields import harmless

router = guarded_router(tags=["api-keys"])


def _distinct(scopes: list[Permission]) -> list[Permission]:
    return sorted(set(scopes))


class NewKey(BaseModel):
    """An API key to make."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"name": "nightly", "scopes": ["backups:create"], "expires_in_days": 90},
                {"name": "till 7", "scopes": ["backups:read"], "station": "till-7"},
            ]
        },
    )

    name: Annotated[
        str, Field(min_length=1, max_length=100, pattern=PRINTABLE), AfterValidator(harmless)
    ]
    scopes: Annotated[
        list[Permission], Field(min_length=1, max_length=64), AfterValidator(_distinct)
    ]
    expires_in_days: int | None = Field(
        default=90, ge=1, le=3650, description="null makes a key that does not expire."
    )
    station: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9_-]{0,62})?$",
        description="The only station that the key is for.",
    )
    sensitive: bool = Field(
        default=False,
        description="Whether it may delete, restore over a source and change users, for which a "
        "session needs a fresh factor.",
    )

    def wish(self) -> Wish:
        """What is asked for."""
        days = self.expires_in_days
        expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
        scopes = [scope.value for scope in self.scopes]
        return Wish(self.name, scopes, expires_at, self.station, self.sensitive)


class KeyAnswer(BaseModel):
    """An API key, without its secret."""

    id: str = Field(examples=["019ab0c4-7d1e-7c3a-9b57-6a1f0f3c2d11"])
    name: str = Field(examples=["nightly"])
    prefix: str = Field(description="How the key begins.", examples=["sgk_a1B2c3D4"])
    scopes: list[str] = Field(examples=[["backups:create"]])
    station: str
    sensitive: bool
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")
    last_used_address: str

    @classmethod
    def of(cls, key: Key) -> "KeyAnswer":
        """The key, as shown."""
        return cls(**asdict(key))


class MadeKey(BaseModel):
    """A new key. ``key`` is shown this once; send it as ``Authorization: Bearer <key>``."""

    key: str = Field(examples=["sgk_a1B2c3D4_…"])
    api_key: KeyAnswer


class KeysAnswer(BaseModel):
    """The keys of a user, newest first."""

    api_keys: list[KeyAnswer]


async def _list(platform: ThePlatform, user_id: str) -> KeysAnswer:
    async with borrowed(platform.pool) as connection:
        found = await store.of_user(connection, user_id)
    return KeysAnswer(api_keys=[KeyAnswer.of(key) for key in found])


@router.post("/api/api-keys", status_code=201, responses=error_answers(409))
@session(fresh=True)
async def make_key(body: NewKey, caller: TheCaller, platform: ThePlatform) -> MadeKey:
    """Make an API key of one's own. It never does more than its owner may at that moment."""
    key, secret = await handlers.create(platform, caller, body.wish())
    return MadeKey(key=secret, api_key=KeyAnswer.of(key))


@router.get("/api/api-keys")
@session()
async def list_own(caller: TheCaller, platform: ThePlatform) -> KeysAnswer:
    """List one's own API keys."""
    return await _list(platform, caller.user_id)


@router.delete(
    "/api/api-keys/{key_id}",
    status_code=204,
    response_class=Response,
    responses=error_answers(404),
)
@session()
async def revoke_own(key_id: UUID, caller: TheCaller, platform: ThePlatform) -> None:
    """Revoke one of one's own API keys."""
    await handlers.revoke(platform, caller, caller.user_id, str(key_id))


@router.get("/api/users/{user_id}/api-keys", tags=["users"])
@needs(Permission.USERS_MANAGE)
async def list_of_user(user_id: UUID, platform: ThePlatform) -> KeysAnswer:
    """List the API keys of a user."""
    return await _list(platform, str(user_id))


@router.delete(
    "/api/users/{user_id}/api-keys/{key_id}",
    status_code=204,
    response_class=Response,
    responses=error_answers(404),
    tags=["users"],
)
@needs(Permission.USERS_MANAGE, fresh=True)
async def revoke_of_user(
    user_id: UUID, key_id: UUID, caller: TheCaller, platform: ThePlatform
) -> None:
    """Revoke an API key of a user."""
    await handlers.revoke(platform, caller, str(user_id), str(key_id))
