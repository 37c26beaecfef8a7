"""Ending sessions; each time it is audited."""

from typing import Any

from common.errors import NotFound
from common.outbox import Context
from common.service import Runtime
from gateway.identity import session_store
from gateway.identity.auditing import audit
from gateway.identity.change_store import check_own_or_lesser
from gateway.identity.domain import Caller


async def end(runtime: Runtime[Any], caller: Caller, user_id: str, session_id: str) -> None:
    """End a session of the caller, or of a user who may do no more than the caller.

    Raises:
        NotFound: there is no such session.
        CannotGrant: the user may do more.
    """
    async with runtime.transaction(caller.actor()) as context:
        await check_own_or_lesser(context.conn, caller, user_id)
        if not await session_store.end_session(context.conn, session_id, user_id):
            raise NotFound("There is no such session.")
        await _audit(context, caller, user_id, 1)


async def end_all(runtime: Runtime[Any], caller: Caller, user_id: str) -> int:
    """End every session of a user but that of the caller, and say how many those were.

    Raises:
        CannotGrant: the user may do more than the caller.
    """
    async with runtime.transaction(caller.actor()) as context:
        await check_own_or_lesser(context.conn, caller, user_id)
        own = {"but": caller.session_id} if caller.session_id else {}
        ended = await session_store.end_sessions(context.conn, user_id, **own)
        await _audit(context, caller, user_id, ended)
    return ended


async def _audit(context: Context, caller: Caller, user_id: str, count: int) -> None:
    await audit(
        context,
        "sessions_ended",
        caller.client,
        entity_type="user",
        entity_id=user_id,
        data={"sessions": count},
    )
