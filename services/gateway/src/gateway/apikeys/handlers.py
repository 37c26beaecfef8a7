"""Making and revoking API keys; each time it is audited."""

from typing import Any

from common.crypto.tokens import digest, new_token
from common.errors import NotFound
from common.messages import uuid7
from common.service import Runtime
from gateway.apikeys import store
from gateway.apikeys.store import Key, Wish
from gateway.identity.admission import KEY_PREFIX
from gateway.identity.auditing import audit_change
from gateway.identity.change_store import check_holds, check_own_or_lesser
from gateway.identity.domain import Caller

SHOWN = 8
SECRET = 48


async def create(runtime: Runtime[Any], caller: Caller, wish: Wish) -> tuple[Key, str]:
    """A new key of the caller, and its secret, which is told this once.

    Raises:
        CannotGrant: the caller does not hold one of the scopes.
        KeyExists: the caller has a key of that name.
    """
    check_holds(caller, wish.scopes)
    prefix = KEY_PREFIX + new_token()[:SHOWN]
    secret = f"{prefix}_{new_token()[:SECRET]}"
    async with runtime.transaction(caller.actor(wish.station)) as context:
        key = await store.add(
            context.conn, str(uuid7()), caller.user_id, prefix, digest(secret), wish
        )
        data: dict[str, Any] = {
            "prefix": prefix,
            "scopes": wish.scopes,
            "sensitive": wish.sensitive,
            "expires_at": wish.expires_at.isoformat() if wish.expires_at else None,
        }
        await audit_change(context, "api_key_created", caller.client, "api_key", key.id, **data)
    return key, secret


async def revoke(runtime: Runtime[Any], caller: Caller, user_id: str, key_id: str) -> None:
    """End a key of the caller, or of a user who may do no more than the caller.

    Raises:
        NotFound: there is no such key.
        CannotGrant: the user may do more.
    """
    async with runtime.transaction(caller.actor()) as context:
        await check_own_or_lesser(context.conn, caller, user_id)
        prefix = await store.delete(context.conn, user_id, key_id)
        if prefix is None:
            raise NotFound("There is no such API key.")
        await audit_change(
            context, "api_key_revoked", caller.client, "api_key", key_id, prefix=prefix
        )
