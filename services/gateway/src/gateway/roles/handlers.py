"""Changes of roles: each one transaction, checked, and audited."""

from dataclasses import replace
from typing import Any

from common.errors import Conflict
from common.service import Runtime
from gateway.identity.auditing import audit_change
from gateway.identity.change_store import check_holds, serialize
from gateway.identity.domain import Caller
from gateway.roles import store
from gateway.roles.store import Role


class BuiltIn(Conflict):
    """A role that is built in keeps its permissions and its name."""

    code = "role_built_in"


async def create(runtime: Runtime[Any], caller: Caller, role: Role) -> Role:
    """Create a role of permissions that the caller holds.

    Raises:
        CannotGrant: the caller lacks one of them.
        RoleExists: the name is taken.
    """
    check_holds(caller, role.permissions)
    async with runtime.transaction(caller.actor()) as context:
        await serialize(context.conn)
        await store.add(context.conn, role)
        data = {
            "permissions": role.permissions,
            "mfa_required": role.mfa_required,
            "request_factor": role.request_factor,
        }
        await audit_change(context, "role_created", caller.client, "role", role.name, **data)
        return await store.find(context.conn, role.name)


async def change(runtime: Runtime[Any], caller: Caller, name: str, changes: dict[str, Any]) -> Role:
    """Change a role whose permissions, those before and those after, the caller holds.

    Raises:
        CannotGrant: the caller lacks one of them.
        BuiltIn: only whether it asks for a second factor, and how often its users may ask, can be
            changed.
    """
    async with runtime.transaction(caller.actor()) as context:
        await serialize(context.conn)
        before = await store.find(context.conn, name)
        after = replace(before, **changes)
        if before.built_in and after != replace(
            before, mfa_required=after.mfa_required, request_factor=after.request_factor
        ):
            raise BuiltIn
        check_holds(caller, {*before.permissions, *after.permissions})
        await store.save(context.conn, after)
        data = {
            "permissions_before": before.permissions,
            "permissions": after.permissions,
            "mfa_required": after.mfa_required,
            "request_factor": after.request_factor,
        }
        await audit_change(context, "role_updated", caller.client, "role", name, **data)
        return await store.find(context.conn, name)


async def delete(runtime: Runtime[Any], caller: Caller, name: str) -> None:
    """Remove a role that nobody has.

    Raises:
        BuiltIn: it cannot be removed.
        RoleInUse: somebody has it.
    """
    async with runtime.transaction(caller.actor()) as context:
        await serialize(context.conn)
        role = await store.find(context.conn, name)
        if role.built_in:
            raise BuiltIn
        check_holds(caller, role.permissions)
        await store.delete(context.conn, name)
        await audit_change(
            context, "role_deleted", caller.client, "role", name, permissions=role.permissions
        )
