"""Accounts over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Response

from common.db import borrowed
from common.web import error_answers
from gateway.identity.access import TheCaller, TheIdentity, guarded_router, needs, session
from gateway.identity.domain import Limit, Permission
from gateway.platform import ThePlatform
from gateway.users import store
from gateway.users.handlers import Accounts
from gateway.users.schemas import (
    NewPassword,
    NewUser,
    OwnPassword,
    UseAnswer,
    UserAnswer,
    UserChange,
    UserPage,
    UsesAnswer,
)

router = guarded_router(prefix="/api/users", tags=["users"])
own = guarded_router(prefix="/api/auth", tags=["auth"])

_read = needs(Permission.USERS_MANAGE)
_change = needs(Permission.USERS_MANAGE, fresh=True)


async def _accounts_of(platform: ThePlatform, identity: TheIdentity) -> Accounts:
    return Accounts(platform, identity)


TheAccounts = Annotated[Accounts, Depends(_accounts_of)]


@router.post("", status_code=201, responses=error_answers(404, 409))
@_change
async def create_user(body: NewUser, caller: TheCaller, accounts: TheAccounts) -> UserAnswer:
    """Create a user, with no more permissions than one's own."""
    password = body.password.get_secret_value()
    account = await accounts.create(
        caller, body.username, password, body.roles, must_change=body.must_change_password
    )
    return UserAnswer.of(account)


@router.get("")
@_read
async def list_users(
    platform: ThePlatform,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> UserPage:
    """List users by name."""
    async with borrowed(platform.pool) as connection:
        found, total = await store.page(connection, limit, offset)
    users = [UserAnswer.of(account) for account in found]
    return UserPage(users=users, total=total, limit=limit, offset=offset)


@router.get("/permissions")
@_read
async def audit_permissions(platform: ThePlatform) -> UsesAnswer:
    """Show who can do what, by which roles, and when it was last done."""
    async with borrowed(platform.pool) as connection:
        found = await store.uses(connection)
    return UsesAnswer(permissions=[UseAnswer.of(use) for use in found])


@router.get("/{user_id}", responses=error_answers(404))
@_read
async def show_user(user_id: UUID, platform: ThePlatform) -> UserAnswer:
    """Show a user."""
    async with borrowed(platform.pool) as connection:
        return UserAnswer.of(await store.find(connection, str(user_id)))


@router.patch("/{user_id}", responses=error_answers(404, 409))
@_change
async def change_user(
    user_id: UUID, body: UserChange, caller: TheCaller, accounts: TheAccounts
) -> UserAnswer:
    """Change a user's name or roles. The last administrator stays one."""
    return UserAnswer.of(await accounts.update(caller, str(user_id), body.username, body.roles))


@router.post("/{user_id}/disable", responses=error_answers(404, 409))
@_change
async def disable_user(user_id: UUID, caller: TheCaller, accounts: TheAccounts) -> UserAnswer:
    """Let a user in no more. Sessions and API keys end at once, and do not come back."""
    return UserAnswer.of(await accounts.disable(caller, str(user_id)))


@router.post("/{user_id}/enable", responses=error_answers(404, 409))
@_change
async def enable_user(user_id: UUID, caller: TheCaller, accounts: TheAccounts) -> UserAnswer:
    """Let a user in again."""
    return UserAnswer.of(await accounts.enable(caller, str(user_id)))


@router.delete(
    "/{user_id}", status_code=204, response_class=Response, responses=error_answers(404, 409)
)
@_change
async def delete_user(user_id: UUID, caller: TheCaller, accounts: TheAccounts) -> None:
    """Remove a user. What the user did stays in the audit log."""
    await accounts.delete(caller, str(user_id))


@router.put(
    "/{user_id}/password",
    status_code=204,
    response_class=Response,
    responses=error_answers(404, 409),
)
@_change
async def reset_password(
    user_id: UUID, body: NewPassword, caller: TheCaller, accounts: TheAccounts
) -> None:
    """Give a user a password, to be changed at the next login. The user's sessions end."""
    await accounts.reset_password(caller, str(user_id), body.password.get_secret_value())


@own.post(
    "/password",
    status_code=204,
    response_class=Response,
    responses=error_answers(409, 423, 429),
)
@session(limits=[Limit.PASSWORD_CHANGE])
async def change_password(body: OwnPassword, caller: TheCaller, accounts: TheAccounts) -> None:
    """Change one's own password. Every other session of the user ends."""
    await accounts.change_password(
        caller, body.current_password.get_secret_value(), body.new_password.get_secret_value()
    )
