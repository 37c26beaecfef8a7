"""A session for the program that hosts the gateway, which already holds everything it guards."""

from typing import Any

from common.crypto.tokens import digest, new_token
from common.errors import NotFound
from common.messages import uuid7
from common.service import Runtime
from gateway.identity import session_store, store
from gateway.identity.bootstrap import NAME
from gateway.identity.domain import Client, name_key

CLIENT = Client(address="", user_agent="strongroom", method="local", resource="")


async def begin_local_session(runtime: Runtime[Any], name: str = NAME) -> str:
    """The token of a new session of the user ``name``; end it by logging out. It is audited.

    No other session of the user ends for it.

    Raises:
        NotFound: there is no such user.
    """
    token = new_token()
    async with runtime.transaction() as context:
        user = await store.find_user(context.conn, name_key(name))
        if user is None:
            raise NotFound(f"There is no user '{name}'.")
        await session_store.add_session(
            context.conn, str(uuid7()), user.id, digest(token), CLIENT, method="local"
        )
        await context.audit(
            CLIENT.method,
            event_type="login_attempt",
            entity_type="user",
            entity_id=user.id,
            user_agent=CLIENT.user_agent,
            data={"login_method": "local"},
        )
    return token
