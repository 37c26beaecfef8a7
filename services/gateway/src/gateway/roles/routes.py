"""Roles over HTTP."""

from dataclasses import asdict
from typing import Annotated

from fastapi import Path, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from common.db import borrowed
from common.web import error_answers
from gateway.identity.access import TheCaller, guarded_router, needs
from gateway.identity.domain import Permission
from gateway.platform import ThePlatform
from gateway.roles import handlers, store
from gateway.roles.store import Role
from gateway.text import PRINTABLE
from gateway.validation.fields import harmless

router = guarded_router(prefix="/api/roles", tags=["users"])

NAME = r"^[a-z][a-z0-9_-]{0,62}$"
RoleName = Annotated[str, Path(pattern=NAME)]


def _distinct(permissions: list[Permission]) -> list[Permission]:
    return sorted(set(permissions))


Permissions = Annotated[list[Permission], Field(max_length=64), AfterValidator(_distinct)]
Description = Annotated[str, Field(max_length=200, pattern=PRINTABLE), AfterValidator(harmless)]

# PostgreSQL keeps it in single precision.
Factor = Annotated[
    float,
    Field(ge=0.01, le=100, description="How much more than others the role's users may ask."),
]


class NewRole(BaseModel):
    """A role to create."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "restorer", "permissions": ["backups:read", "backups:restore"]}]
        },
    )

    name: str = Field(pattern=NAME)
    permissions: Permissions
    description: Description = ""
    mfa_required: bool = False
    request_factor: Factor = 1


class RoleChange(BaseModel):
    """What to change of a role; what is left out stays."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"mfa_required": True}]}
    )

    permissions: Permissions = Field(default_factory=list)
    description: Description = ""
    mfa_required: bool = False
    request_factor: Factor = 1


class RoleAnswer(BaseModel):
    """A role, and how many users have it."""

    name: str = Field(examples=["restorer"])
    permissions: list[str] = Field(examples=[["backups:read", "backups:restore"]])
    description: str
    built_in: bool
    mfa_required: bool = Field(description="Whoever has the role needs a second factor.")
    request_factor: float = Field(description="How much more than others its users may ask.")
    users: int

    @classmethod
    def of(cls, role: Role) -> "RoleAnswer":
        """The role, as shown."""
        return cls(**asdict(role))


class RolesAnswer(BaseModel):
    """Every role."""

    roles: list[RoleAnswer]


@router.get("")
@needs(Permission.USERS_MANAGE)
async def list_roles(platform: ThePlatform) -> RolesAnswer:
    """List the roles."""
    async with borrowed(platform.pool) as connection:
        found = await store.everything(connection)
    return RolesAnswer(roles=[RoleAnswer.of(role) for role in found])


@router.post("", status_code=201, responses=error_answers(409))
@needs(Permission.USERS_MANAGE, fresh=True)
async def create_role(body: NewRole, caller: TheCaller, platform: ThePlatform) -> RoleAnswer:
    """Create a role of permissions that one holds."""
    permissions = [permission.value for permission in body.permissions]
    role = Role(
        body.name,
        permissions,
        body.description,
        mfa_required=body.mfa_required,
        request_factor=body.request_factor,
    )
    return RoleAnswer.of(await handlers.create(platform, caller, role))


@router.get("/{name}", responses=error_answers(404))
@needs(Permission.USERS_MANAGE)
async def show_role(name: RoleName, platform: ThePlatform) -> RoleAnswer:
    """Show a role."""
    async with borrowed(platform.pool) as connection:
        return RoleAnswer.of(await store.find(connection, name))


@router.patch("/{name}", responses=error_answers(404, 409))
@needs(Permission.USERS_MANAGE, fresh=True)
async def change_role(
    name: RoleName, body: RoleChange, caller: TheCaller, platform: ThePlatform
) -> RoleAnswer:
    """Change a role; it holds at once for everybody who has it."""
    changes = body.model_dump(mode="json", exclude_unset=True)
    return RoleAnswer.of(await handlers.change(platform, caller, name, changes))


@router.delete(
    "/{name}", status_code=204, response_class=Response, responses=error_answers(404, 409)
)
@needs(Permission.USERS_MANAGE, fresh=True)
async def delete_role(name: RoleName, caller: TheCaller, platform: ThePlatform) -> None:
    """Remove a role that nobody has."""
    await handlers.delete(platform, caller, name)
