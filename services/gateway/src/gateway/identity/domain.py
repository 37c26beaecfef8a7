"""Users, permissions and refusals: decisions without I/O."""

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Literal

from common.errors import Forbidden, Unauthorized
from common.messages import Actor
from gateway.limits.domain import Count


class Permission(StrEnum):
    """What a role can grant. ``manage_settings`` covers every operation on backups."""

    MANAGE_SETTINGS = "manage_settings"
    BACKUPS_READ = "backups:read"
    BACKUPS_CREATE = "backups:create"
    BACKUPS_RESTORE = "backups:restore"
    BACKUPS_DELETE = "backups:delete"
    TOKENS_ISSUE = "tokens:issue"
    AUDIT_READ = "audit:read"
    USERS_MANAGE = "users:manage"


COVERED = frozenset(
    {
        Permission.BACKUPS_READ,
        Permission.BACKUPS_CREATE,
        Permission.BACKUPS_RESTORE,
        Permission.BACKUPS_DELETE,
        Permission.TOKENS_ISSUE,
    }
)


def allows(granted: Collection[str], needed: Permission) -> bool:
    """Whether these permissions are enough for an operation that needs ``needed``."""
    return needed in granted or (needed in COVERED and Permission.MANAGE_SETTINGS in granted)


class WrongCredentials(Unauthorized):
    """User name or password is wrong."""

    code = "wrong_credentials"


class WrongFactor(Forbidden):
    """The password or the code is wrong."""

    code = "wrong_factor"


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from and what it is for, as the audit log wants it."""

    address: str
    user_agent: str
    method: str
    resource: str


@dataclass(frozen=True, slots=True)
class Times:
    """How long a session lives without a request and in all, and a factor counts as fresh."""

    idle: timedelta
    life: timedelta
    fresh: timedelta


class Limit(StrEnum):
    """Why a session may do almost nothing yet."""

    SECOND_FACTOR = "second_factor"
    PASSWORD_CHANGE = "password_change"  # noqa: S105 - a state, no password
    ENROLMENT = "mfa_enrolment"


@dataclass(frozen=True, slots=True)
class Caller:
    """A user in a session or by an API key, with what may be done so.

    ``station`` is the only one that the caller may touch; empty means every one. ``asked`` is how
    often the user has asked lately, and ``factor`` how much more than others the user may ask.
    """

    user_id: str
    name: str
    permissions: frozenset[str]
    session_id: str
    client: Client
    limit: Limit | None = None
    fresh: bool = True
    key_id: str = ""
    station: str = ""
    asked: Count | None = None
    factor: float = 1

    def check_station(self, station: str) -> None:
        """Refuse a station that the caller is not bound to.

        Raises:
            Forbidden: it is another one.
        """
        if self.station and station != self.station:
            raise Forbidden(f"This API key is for the station {self.station} alone.")

    def may(self, needed: Permission) -> bool:
        """Whether this caller has the permission."""
        return allows(self.permissions, needed)

    def actor(self, station: str = "") -> Actor:
        """The caller as messages name who they are sent for."""
        return Actor(user=self.user_id, station=station, address=self.client.address)


def name_key(name: str) -> str:
    """The form in which user names are compared and are unique."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


Refusal = Literal[
    "authentication_failed",
    "permission_denied",
    "account_locked",
    "rate_limited",
    "suspicious_input",
    "file_rejected",
    "decryption_failed",
]


class RefusalQuota:
    """Which refusals are written to the audit log: a flood of them must not flood the log.

    In each window some are written of one kind from one address, and some more in total; the next
    one that is written says how many were not.
    """

    def __init__(self, *, window: float = 60, each: int = 10, total: int = 100) -> None:
        self._window = window
        self._each = each
        self._total = total
        self._begin = float("-inf")
        self._written: dict[str, int] = {}
        self._suppressed = 0

    def take(self, source: str, now: float) -> int | None:
        """None: do not write this one. Else how many were left out since the last one."""
        if now - self._begin >= self._window:
            self._begin = now
            self._written.clear()
        count = self._written.get(source, 0)
        if count >= self._each or sum(self._written.values()) >= self._total:
            self._suppressed += 1
            return None
        self._written[source] = count + 1
        suppressed, self._suppressed = self._suppressed, 0
        return suppressed
