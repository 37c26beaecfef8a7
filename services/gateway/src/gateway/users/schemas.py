"""Users as the API takes and shows them."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from common.crypto.passwords import LONGEST
from gateway.identity.domain import name_key
from gateway.text import PRINTABLE
from gateway.users.store import Account, Use
from gateway.validation.fields import harmless

EXAMPLE_ID = "019ab0c4-7d1e-7c3a-9b57-6a1f0f3c2d11"


def _named(name: str) -> str:
    if not name_key(name):
        raise ValueError("must not be empty")
    return name


UserName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100, pattern=PRINTABLE),
    AfterValidator(_named),
    AfterValidator(harmless),
]
RoleName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Password = Annotated[SecretStr, Field(min_length=1, max_length=LONGEST)]


class NewUser(BaseModel):
    """A user to create."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"username": "ada", "password": "Correct-horse-battery-7", "roles": ["operator"]}
            ]
        },
    )

    username: UserName
    password: Password
    roles: list[RoleName] = Field(default_factory=list, max_length=32)
    must_change_password: bool = Field(
        default=True, description="Ask for another password at the first login."
    )


class UserChange(BaseModel):
    """What to change of a user; what is left out stays."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"roles": ["auditor", "viewer"]}]}
    )

    username: UserName | None = None
    roles: list[RoleName] | None = Field(default=None, max_length=32)


class NewPassword(BaseModel):
    """A password that an administrator gives to somebody."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"password": "Correct-horse-battery-7"}]}
    )

    password: Password


class OwnPassword(BaseModel):
    """One's own password, the one until now and the next."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "current_password": "correct-horse-battery",
                    "new_password": "Correct-horse-battery-7",
                }
            ]
        },
    )

    current_password: Password
    new_password: Password


class UserAnswer(BaseModel):
    """A user: roles, state, and how the user logs in."""

    id: str = Field(examples=[EXAMPLE_ID])
    name: str = Field(examples=["ada"])
    roles: list[str] = Field(examples=[["operator"]])
    created_at: datetime
    last_login_at: datetime | None
    disabled_at: datetime | None
    must_change_password: bool
    has_password: bool
    second_factor: bool = Field(description="Whether a code or a passkey is set up.")
    external: bool = Field(description="Whether a provider of OpenID Connect knows the user.")
    linked: bool = Field(description="Whether by a link, which leaves the roles to this place.")

    @classmethod
    def of(cls, account: Account) -> "UserAnswer":
        """The user, as shown."""
        return cls(**asdict(account))


class UserPage(BaseModel):
    """Some users by name, and how many there are in all."""

    users: list[UserAnswer]
    total: int = Field(examples=[1])
    limit: int = Field(examples=[50])
    offset: int = Field(examples=[0])


class UseAnswer(BaseModel):
    """That a user holds a permission, by which roles, and when it was last used."""

    user_id: str = Field(examples=[EXAMPLE_ID])
    user_name: str = Field(examples=["ada"])
    disabled: bool
    permission: str = Field(examples=["backups:restore"])
    roles: list[str] = Field(examples=[["operator"]])
    last_used_at: datetime | None

    @classmethod
    def of(cls, use: Use) -> "UseAnswer":
        """The use, as shown."""
        return cls(**asdict(use))


class UsesAnswer(BaseModel):
    """Who can do what."""

    permissions: list[UseAnswer]
