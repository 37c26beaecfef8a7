"""Making recovery codes; each time it is audited."""

from common.crypto.tokens import digest
from common.db import Connection
from common.outbox import Context
from gateway.identity.auditing import audit_change
from gateway.identity.domain import Caller
from gateway.recovery import store
from gateway.recovery.domain import new_recovery_codes, plain


def digest_of(user_id: str, code: str) -> bytes:
    """What is kept of a code, however it was typed: different for each user."""
    return digest(f"{user_id} {plain(code)}")


async def use(connection: Connection, user_id: str, code: str) -> bool:
    """Take a code of this user, once."""
    # Earlier versions kept codes without the user.
    kept = [digest_of(user_id, code), digest(plain(code))]
    return await store.use(connection, user_id, kept)


async def renew(context: Context, caller: Caller) -> list[str]:
    """New codes of the caller; the former ones are worth nothing."""
    codes = new_recovery_codes()
    await store.replace(
        context.conn, caller.user_id, [digest_of(caller.user_id, code) for code in codes]
    )
    await audit_change(context, "recovery_codes_renewed", caller.client, "user", caller.user_id)
    return codes


async def ensure(context: Context, caller: Caller) -> list[str]:
    """New codes if the caller has none left, with the first second factor; else none."""
    if await store.any_left(context.conn, caller.user_id):
        return []
    return await renew(context, caller)
