"""Who gets in where, decided without I/O."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Forbidden
from gateway.identity.admitting import Access, Standing, check_admitted, effective, limit_of
from gateway.identity.domain import Caller, Client, Limit, Permission, allows

CLIENT = Client("", "", "GET", "/")
PERMISSIONS = st.frozensets(st.sampled_from([permission.value for permission in Permission]))


def caller(**changes: object) -> Caller:
    values = {"user_id": "u", "name": "n", "permissions": frozenset(), "session_id": "s"}
    return Caller(**{**values, "client": CLIENT, **changes})  # type: ignore[arg-type]


@given(PERMISSIONS, PERMISSIONS)
def test_a_key_never_grants_what_its_owner_may_not(
    scopes: frozenset[str], owner: frozenset[str]
) -> None:
    """Otherwise a key is a way up."""
    granted = effective(scopes, owner)
    assert granted <= scopes
    for permission in Permission:
        if allows(granted, permission):
            assert allows(owner, permission)


@given(PERMISSIONS)
def test_a_key_of_everything_grants_all_that_its_owner_may(owner: frozenset[str]) -> None:
    """Otherwise a key for the documented permission does not do what its owner does."""
    granted = effective([permission.value for permission in Permission], owner)
    for permission in Permission:
        assert allows(granted, permission) == allows(owner, permission)


def test_the_second_factor_comes_before_everything_else() -> None:
    """Otherwise whoever has the password changes it, or enrols a device of their own."""
    for must_change, required in itertools.product((False, True), repeat=2):
        standing = Standing("password", True, False, must_change, required)
        assert limit_of(standing) is Limit.SECOND_FACTOR


@pytest.mark.parametrize(
    ("standing", "limit"),
    [
        (Standing("password", False, False, False, False), None),
        (Standing("password", True, True, False, True), None),
        (Standing("password", True, True, True, False), Limit.PASSWORD_CHANGE),
        (Standing("password", False, False, True, True), Limit.PASSWORD_CHANGE),
        (Standing("password", False, False, False, True), Limit.ENROLMENT),
        (Standing("oidc", False, True, False, True), None),
        (Standing("local", True, False, True, True), None),
    ],
)
def test_what_a_session_has_to_do_first(standing: Standing, limit: Limit | None) -> None:
    """Otherwise a session is good for everything too early, or never."""
    assert limit_of(standing) is limit


@pytest.mark.parametrize(
    ("access", "who"),
    [
        (Access(), caller(limit=Limit.SECOND_FACTOR)),
        (Access(limits=frozenset({Limit.ENROLMENT})), caller(limit=Limit.SECOND_FACTOR)),
        (Access(), caller(key_id="k")),
        (Access(permission=Permission.BACKUPS_READ), caller(key_id="k", station="till")),
    ],
)
def test_whoever_is_known_may_still_not_get_in(access: Access, who: Caller) -> None:
    """Otherwise a limit or a bound key counts for nothing."""
    with pytest.raises(Forbidden):
        check_admitted(access, who)


def test_a_bound_caller_is_held_to_the_station() -> None:
    """Otherwise the key of one till is a key to all."""
    caller(station="till").check_station("till")
    caller().check_station("any")
    for other in ("main", ""):
        with pytest.raises(Forbidden):
            caller(station="till").check_station(other)
