"""Linking users of ours to persons at the provider: always an act, never a match of names."""

from typing import Any

from common.errors import Conflict
from common.outbox import Context
from common.service import Runtime
from gateway.identity.auditing import audit_change
from gateway.identity.change_store import check_own_or_lesser, serialize
from gateway.identity.domain import Caller, Client
from gateway.oidc import store


async def link(context: Context, client: Client, user_id: str, issuer: str, subject: str) -> None:
    """Let a user log in as this person of the provider. The user's roles stay those given here.

    Raises:
        PersonTaken: the person is another user.
        AlreadyKnown: the user is another person.
    """
    await serialize(context.conn)
    await store.link(context.conn, user_id, issuer, subject)
    await audit_change(
        context, "user_linked", client, "user", user_id, issuer=issuer, subject=subject
    )


async def link_other(
    runtime: Runtime[Any], caller: Caller, user_id: str, issuer: str, subject: str
) -> None:
    """The same for a user who may do no more than the caller.

    Raises:
        CannotGrant: the user may do more: whoever names the person could get in as that user.
        NotFound: there is no such user.
        Conflict: it is the caller's own account: the provider itself has to say who that is.
    """
    if user_id == caller.user_id:
        raise Conflict("Link your own account at /api/auth/oidc/link.")
    async with runtime.transaction(caller.actor()) as context:
        await _check(context, caller, user_id)
        await link(context, caller.client, user_id, issuer, subject)


async def unlink(runtime: Runtime[Any], caller: Caller, user_id: str) -> None:
    """Let a user, the caller or one who may do no more, be nobody at the provider any more.

    The user's sessions stay, and so do the roles.

    Raises:
        NotFound: there is no such user, or the provider does not know the user.
        NoOtherWay: the caller would be left with no way in.
        CannotGrant: the user may do more than the caller.
    """
    own = user_id == caller.user_id
    async with runtime.transaction(caller.actor()) as context:
        await _check(context, caller, user_id)
        await store.unlink(context.conn, user_id, own=own)
        await audit_change(context, "user_unlinked", caller.client, "user", user_id)


async def _check(context: Context, caller: Caller, user_id: str) -> None:
    await serialize(context.conn)
    await store.check_exists(context.conn, user_id)
    await check_own_or_lesser(context.conn, caller, user_id)
