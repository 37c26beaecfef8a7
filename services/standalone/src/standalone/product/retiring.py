"""Taking former keys away once nothing that is stored here needs them.

Strongroom is stopped meanwhile: so nobody seals anything under a key that is on its way out.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pydantic import SecretStr

from common.crypto.strength import listed
from common.db import Connection, Pool, connect
from common.db.pool import close
from common.errors import Conflict, Invalid
from common.outbox import unit_of_work
from common.service.environment import load
from common.service.resealing import SealedTable, waiting
from gateway.mfa.sealing import Sealing
from gateway.policy import SecretSettings
from gateway.security.secrets import SecretKeys
from standalone import text
from standalone.postgres import Cluster
from standalone.product import machinekeys
from standalone.product.datadir import DataDirectory
from standalone.product.machinekeys import FORMER, KEY
from standalone.product.settings import StandaloneSettings
from token_service.connections import open_keychain
from token_service.resealing import Tokens

TOKENS = "encryption_key"
_SALT = "security_key_salt"

UrlOf = Callable[[str], str]


def database_of(directory: DataDirectory) -> Cluster:
    """The embedded database of a stopped Strongroom, to be started."""
    return load(StandaloneSettings).cluster(directory.postgres)


def former_keys(directory: DataDirectory, name: str) -> int:
    """How many keys the setting ``name`` still has behind its newest.

    Raises:
        Invalid: it is not kept in the data directory.
        Conflict: the second copy still needs the former one.
    """
    if name == KEY:
        machinekeys.require_followed(directory)
        return int(directory.has_secret(FORMER))
    setting = name.upper()
    if os.environ.get(setting) or os.environ.get(f"{setting}_FILE"):
        raise Invalid(
            f"{setting} is given by the environment, not kept in {directory.path}.",
            remedy="Take its former keys out of it there.",
        )
    return max(0, len(listed(directory.secret(name))) - 1) if directory.has_secret(name) else 0


async def retire(directory: DataDirectory, url_of: UrlOf, name: str) -> int:
    """Take the former keys of ``name`` away, which there are, and say how many those were.

    The caller holds the data directory; ``url_of`` gives the address of its database for a role.
    It is audited, and the entry is on its way before the keys are gone.

    Raises:
        Invalid: they are not kept in the data directory.
        Conflict: something that is stored here opens with a former key alone.
    """
    service = "token-service" if name == TOKENS else "gateway"
    count = former_keys(directory, name)
    async with (
        _opened(url_of(service.replace("-", "_")), service) as pool,
        unit_of_work(pool, service) as context,
    ):
        if name != KEY:
            await _require_resealed(context.conn, await _sealed(directory, pool, name), name)
        await context.audit(
            "retire",
            event_type="former_keys_retired",
            entity_type="key",
            entity_id=name.upper(),
            risk_level="high",
            data={"former_keys": count},
        )
        if name == KEY:
            directory.forget_secret(FORMER)
        else:
            newest, made_at = listed(directory.secret(name))[0], directory.secret_made_at(name)
            directory.write_secret(name, newest, made_at=made_at)
    return count


@asynccontextmanager
async def _opened(url: str, service: str) -> AsyncIterator[Pool]:
    pool = await connect(SecretStr(url), name=service, schema=service.replace("-", "_"), size=2)
    try:
        yield pool
    finally:
        await close(pool)


async def _sealed(directory: DataDirectory, pool: Pool, name: str) -> SealedTable:
    """What is sealed under the keys of the setting ``name``."""
    secret = directory.secret(name)
    if name == TOKENS:
        keychain = await open_keychain(pool, secret)
        if keychain is None:
            raise Invalid(f"secrets/{name} is empty.")
        return Tokens(keychain)
    salt = load(SecretSettings).security_key_salt
    return Sealing(
        SecretKeys(secret, salt if salt.get_secret_value() else directory.secret(_SALT)).keys
    )


async def _require_resealed(connection: Connection, table: SealedTable, name: str) -> None:
    newest, *_ = await table.key_ids()
    left = waiting(newest, await table.count(connection))
    if left:
        raise Conflict(
            f"Not under the newest key of {name.upper()}: {text.count(left, 'stored secret')}.",
            remedy="Start Strongroom, which seals them anew; `strongroom keys status` then says how"
            " far it is.",
        )
