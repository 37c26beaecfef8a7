"""Making recovery codes."""

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
    """New codes, because the caller wants them; the former ones are worth nothing."""
    codes = await make(context.conn, caller.user_id)
    await audit_change(context, "recovery_codes_renewed", caller.client, "user", caller.user_id)
    return codes


async def make(connection: Connection, user_id: str) -> list[str]:
    """New codes that come with a factor, whose entry in the audit log says so."""
    codes = new_recovery_codes()
    await store.replace(connection, user_id, [digest_of(user_id, code) for code in codes])
    return codes


async def make_if_none(connection: Connection, user_id: str) -> list[str]:
    """The same if the user has none left; else none."""
    return [] if await store.any_left(connection, user_id) else await make(connection, user_id)
