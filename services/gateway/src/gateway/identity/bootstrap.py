"""The first administrator, made once."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from common.crypto.tokens import ALPHABET
from common.errors import Invalid
from common.messages import uuid7
from common.service import Runtime
from gateway.identity import store
from gateway.identity.domain import name_key

NAME = "admin"


@dataclass(frozen=True, slots=True)
class FirstAdministrator:
    """The generated password, for whoever shows it to the operator. It is stored nowhere."""

    name: str
    password: SecretStr


Announce = Callable[[FirstAdministrator], None]


async def ensure_administrator(
    runtime: Runtime[Any],
    configured: SecretStr,
    hash_password: Callable[[str], Awaitable[str]],
    announce: Announce | None,
) -> None:
    """Create the administrator unless there is a user already.

    A password that is not configured is generated and given to ``announce`` before it is stored,
    so that a crash between the two leaves no account that nobody can open. It was seen on a screen
    and has to be changed at the first login; one that is configured, for unattended use, need not.

    Raises:
        Invalid: no password is configured, and nobody could be told a generated one.
    """
    async with runtime.transaction() as context:
        if await store.any_user(context.conn):
            return
        password = configured.get_secret_value()
        if not password:
            password = _generate(announce)
        user = store.User(str(uuid7()), NAME, await hash_password(password))
        await store.add_user(
            context.conn,
            user,
            name_key(NAME),
            ["administrator"],
            must_change_password=not configured.get_secret_value(),
        )
        await context.audit(
            "create",
            event_type="user_created",
            entity_type="user",
            entity_id=user.id,
            data={"roles": ["administrator"], "generated_password": not configured},
        )


def _generate(announce: Announce | None) -> str:
    if announce is None:
        raise Invalid(
            "There is no user yet and no password for the first one.",
            remedy="Set STRONGROOM_ADMIN_PASSWORD, or STRONGROOM_ADMIN_PASSWORD_FILE.",
        )
    password = "-".join("".join(secrets.choice(ALPHABET) for _ in range(5)) for _ in range(4))
    announce(FirstAdministrator(NAME, SecretStr(password)))
    return password
