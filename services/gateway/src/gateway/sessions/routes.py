"""Sessions over HTTP: one's own, and those of others."""

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field

from common.db import borrowed
from common.web import error_answers
from gateway.identity import session_store
from gateway.identity.access import TheCaller, TheIdentity, guarded_router, needs, session
from gateway.identity.domain import Permission
from gateway.platform import ThePlatform
from gateway.sessions import handlers

router = guarded_router(tags=["auth"])


class OpenSession(BaseModel):
    """A session that is open: since when, from where, and how it was begun."""

    id: str = Field(examples=["019ab0c4-7d1e-7c3a-9b57-6a1f0f3c2d11"])
    method: str = Field(examples=["password"])
    address: str = Field(examples=["192.168.1.1"])
    user_agent: str = Field(examples=["Mozilla/5.0"])
    created_at: datetime
    last_seen_at: datetime
    second_factor: bool
    current: bool = Field(description="Whether it is the session of this request.")


class OpenSessions(BaseModel):
    """The open sessions of a user, newest first."""

    sessions: list[OpenSession]


class Ended(BaseModel):
    """How many sessions have ended."""

    ended: int = Field(examples=[2])


async def _list(
    platform: ThePlatform, identity: TheIdentity, user_id: str, current: str
) -> OpenSessions:
    async with borrowed(platform.pool) as connection:
        found = await session_store.list_sessions(connection, user_id, identity.times)
    return OpenSessions(
        sessions=[OpenSession(**asdict(each), current=each.id == current) for each in found]
    )


@router.get("/api/auth/sessions")
@session()
async def list_own(caller: TheCaller, platform: ThePlatform, identity: TheIdentity) -> OpenSessions:
    """List one's own sessions."""
    return await _list(platform, identity, caller.user_id, caller.session_id)


@router.delete("/api/auth/sessions")
@session()
async def end_others(caller: TheCaller, platform: ThePlatform) -> Ended:
    """End every other session of one's own."""
    return Ended(ended=await handlers.end_all(platform, caller, caller.user_id))


@router.delete(
    "/api/auth/sessions/{session_id}",
    status_code=204,
    response_class=Response,
    responses=error_answers(404),
)
@session()
async def end_own(session_id: UUID, caller: TheCaller, platform: ThePlatform) -> None:
    """End one of one's own sessions."""
    await handlers.end(platform, caller, caller.user_id, str(session_id))


@router.get("/api/users/{user_id}/sessions", tags=["users"])
@needs(Permission.USERS_MANAGE)
async def list_of_user(
    user_id: UUID, caller: TheCaller, platform: ThePlatform, identity: TheIdentity
) -> OpenSessions:
    """List the sessions of a user."""
    return await _list(platform, identity, str(user_id), caller.session_id)


@router.delete("/api/users/{user_id}/sessions", tags=["users"])
@needs(Permission.USERS_MANAGE, fresh=True)
async def end_of_user(user_id: UUID, caller: TheCaller, platform: ThePlatform) -> Ended:
    """End every session of a user; one's own current one stays."""
    return Ended(ended=await handlers.end_all(platform, caller, str(user_id)))


@router.delete(
    "/api/users/{user_id}/sessions/{session_id}",
    status_code=204,
    response_class=Response,
    responses=error_answers(404),
    tags=["users"],
)
@needs(Permission.USERS_MANAGE, fresh=True)
async def end_one_of_user(
    user_id: UUID, session_id: UUID, caller: TheCaller, platform: ThePlatform
) -> None:
    """End a session of a user."""
    await handlers.end(platform, caller, str(user_id), str(session_id))
