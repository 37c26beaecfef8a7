"""Which callers a route admits: decisions without I/O."""

from collections.abc import Collection
from dataclasses import dataclass

from common.errors import Forbidden
from gateway.identity.domain import Caller, Limit, Permission, allows


class Limited(Forbidden):
    """This session may do nothing before something else is done."""

    def __init__(self, limit: Limit) -> None:
        message, remedy = _LIMITED[limit]
        super().__init__(message, remedy=remedy)
        self.code = f"{limit.value}_required"


_LIMITED = {
    Limit.SECOND_FACTOR: (
        "This session waits for the second factor.",
        "Send it to /api/auth/mfa/verify, or use a passkey.",
    ),
    Limit.PASSWORD_CHANGE: (
        "The password has to be changed first.",
        "Send a new one to /api/auth/password.",
    ),
    Limit.ENROLMENT: (
        "A role of this user asks for a second factor, and there is none yet.",
        "Set one up at /api/auth/mfa/totp, or add a passkey.",
    ),
}


class SessionRequired(Forbidden):
    """This is for sessions of people: no API key may do it."""

    code = "session_required"


class StepUpRequired(Forbidden):
    """This needs a factor that was given just now."""

    code = "step_up_required"

    def __init__(self, message: str | None = None, *, remedy: str = "", key: bool = False) -> None:
        way = (
            "Use an API key that is made for sensitive operations."
            if key
            else "Send the password or a code to /api/auth/step-up, then try again."
        )
        super().__init__(message, remedy=remedy or way)
        self.details = {"step_up": "/api/auth/step-up", "methods": ["password", "totp", "passkey"]}


class CsrfFailed(Forbidden):
    """The request lacks the session's CSRF token."""

    code = "csrf_failed"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use a route.

    ``fresh``: a factor has to have been given lately. ``limits``: the limited sessions that get in
    all the same. ``keys``: API keys get in where no permission is asked for. ``stations``: the
    route itself holds the caller to the caller's station; others refuse callers bound to one.
    """

    public: bool = False
    permission: Permission | None = None
    fresh: bool = False
    limits: frozenset[Limit] = frozenset()
    keys: bool = False
    stations: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """What a session has behind it, and what is asked of its user."""

    method: str
    enrolled: bool
    second_factor: bool
    must_change_password: bool
    mfa_required: bool


def limit_of(standing: Standing) -> Limit | None:
    """What has to be done before the session may do anything else.

    The host of the gateway, which could read the database as well, is asked for nothing.
    """
    if standing.method == "local":
        return None
    if standing.enrolled and not standing.second_factor:
        return Limit.SECOND_FACTOR
    if standing.must_change_password:
        return Limit.PASSWORD_CHANGE
    if standing.mfa_required and not standing.second_factor:
        return Limit.ENROLMENT
    return None


def effective(scopes: Collection[str], owner: Collection[str]) -> frozenset[str]:
    """What an API key grants now: its scopes, and never what its owner may not do."""
    return frozenset(
        permission.value
        for permission in Permission
        if permission in scopes and allows(owner, permission)
    )


def check_admitted(access: Access, caller: Caller) -> None:
    """Refuse a known caller for anything but a missing permission.

    Raises:
        Forbidden: the session is limited or not fresh, or this is an API key for something else.
    """
    if caller.limit is not None and caller.limit not in access.limits:
        raise Limited(caller.limit)
    if caller.key_id and not access.keys and access.permission is None:
        raise SessionRequired
    if caller.station and not access.stations and not access.keys:
        raise Forbidden(f"This API key is for the station {caller.station} alone.")
