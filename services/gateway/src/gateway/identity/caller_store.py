"""SQL about who is asking."""

import asyncpg

from common.db import Connection
from gateway.identity.admitting import Standing, effective, limit_of
from gateway.identity.domain import Caller, Client, Times
from gateway.limits.domain import Kind
from gateway.limits.store import count_of

_GRANTED = """
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(DISTINCT p) FILTER (WHERE p IS NOT NULL), '{}') AS permissions,
           coalesce(bool_or(r.mfa_required), false) AS mfa_required,
           coalesce(max(r.request_factor), 1)::float8 AS factor
    FROM user_roles ur JOIN roles r ON r.name = ur.role
    LEFT JOIN LATERAL unnest(r.permissions) AS p ON true WHERE ur.user_id = u.id
) AS granted
"""
# The request is counted in the statement that finds out whose it is.
_COUNTED = "CROSS JOIN LATERAL count_request('user ' || u.id || ' ' || $5::text) AS counted"
_ENROLLED = """
(EXISTS (SELECT FROM totp t WHERE t.user_id = u.id AND t.confirmed_at IS NOT NULL)
 OR EXISTS (SELECT FROM passkeys k WHERE k.user_id = u.id))
"""
_SESSION = f"""
SELECT s.id::text AS session_id, u.id::text AS user_id, u.name, granted.permissions,
    granted.mfa_required, s.method, u.must_change_password,
    s.second_factor_at IS NOT NULL AS second_factor, {_ENROLLED} AS enrolled,
    s.proven_at > now() - $4::interval AS fresh, granted.factor
"""
_OF_SESSIONS = f"FROM sessions s JOIN users u ON u.id = s.user_id {_GRANTED}"
_SESSION_LIVES = """
s.last_seen_at > now() - $2::interval AND s.created_at > now() - $3::interval
AND u.disabled_at IS NULL
"""
_KEY = """
SELECT k.id::text AS key_id, k.scopes, k.station, k.sensitive,
    u.id::text AS user_id, u.name, granted.permissions, granted.factor
"""
_OF_KEYS = f"FROM api_keys k JOIN users u ON u.id = k.user_id {_GRANTED}"
_KEY_LIVES = "(k.expires_at IS NULL OR k.expires_at > now()) AND u.disabled_at IS NULL"


async def find_caller(
    connection: Connection,
    token_digest: bytes,
    times: Times,
    client: Client,
    kind: Kind = Kind.NORMAL,
) -> Caller | None:
    """Who is in the live session with this token. Asking keeps a session alive, and counts.

    One round trip; the time of last use is written only when a twentieth of the timeout is over.
    """
    row = await connection.fetchrow(
        f"""
        WITH touched AS (
            UPDATE sessions SET last_seen_at = now() WHERE token_digest = $1
            AND last_seen_at BETWEEN now() - $2::interval AND now() - $2::interval / 20)
        {_SESSION}, counted.* {_OF_SESSIONS} {_COUNTED}
        WHERE s.token_digest = $1 AND {_SESSION_LIVES}
        """,  # noqa: S608 - constants of this module alone
        token_digest,
        times.idle,
        times.life,
        times.fresh,
        kind.value,
    )
    return _in_session(row, client, counted=True) if row else None


async def find_key_caller(
    connection: Connection, key_digest: bytes, client: Client, kind: Kind = Kind.NORMAL
) -> Caller | None:
    """Whose living API key this is. The time of its last use is written once a minute."""
    counted = _COUNTED.replace("$5", "$3")
    row = await connection.fetchrow(
        f"""
        WITH touched AS (
            UPDATE api_keys SET last_used_at = now(), last_used_address = $2
            WHERE secret_digest = $1 AND (expires_at IS NULL OR expires_at > now())
            AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute'))
        {_KEY}, counted.* {_OF_KEYS} {counted}
        WHERE k.secret_digest = $1 AND {_KEY_LIVES}
        """,  # noqa: S608 - constants of this module alone
        key_digest,
        client.address,
        kind.value,
    )
    return _by_key(row, client, counted=True) if row else None


async def find_again(connection: Connection, caller: Caller, times: Times) -> Caller | None:
    """The same caller as of now, while the session or the key lives.

    Asking keeps no session alive, and does not count.
    """
    if caller.key_id:
        statement = f"{_KEY} {_OF_KEYS} WHERE k.id = $1 AND {_KEY_LIVES}"
        row = await connection.fetchrow(statement, caller.key_id)
        return _by_key(row, caller.client, counted=False) if row else None
    row = await connection.fetchrow(
        f"{_SESSION} {_OF_SESSIONS} WHERE s.id = $1 AND {_SESSION_LIVES}",
        caller.session_id,
        times.idle,
        times.life,
        times.fresh,
    )
    return _in_session(row, caller.client, counted=False) if row else None


def _in_session(row: asyncpg.Record, client: Client, *, counted: bool) -> Caller:
    standing = Standing(**{name: row[name] for name in Standing.__slots__})
    return Caller(
        user_id=row["user_id"],
        name=row["name"],
        permissions=frozenset(row["permissions"]),
        session_id=row["session_id"],
        client=client,
        limit=limit_of(standing),
        fresh=row["fresh"],
        asked=count_of(row) if counted else None,
        factor=row["factor"],
    )


def _by_key(row: asyncpg.Record, client: Client, *, counted: bool) -> Caller:
    return Caller(
        user_id=row["user_id"],
        name=row["name"],
        permissions=effective(row["scopes"], row["permissions"]),
        session_id="",
        client=client,
        fresh=row["sensitive"],
        key_id=row["key_id"],
        station=row["station"],
        asked=count_of(row) if counted else None,
        factor=row["factor"],
    )
