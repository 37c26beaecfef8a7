"""Getting in: fresh factors, refusals, known devices, certificates."""

import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from certificates import Authority
from http_double import Double, refused, serving
from standalone.client import asking

Run = Callable[..., Any]
Ask = Callable[..., list[str]]
NO_FACTOR = {"totp": False, "passkeys": 0, "recovery_codes_left": 0, "required": False}


def _role() -> dict[str, Any]:
    return {
        "name": "restorer", "permissions": ["backups:read"], "description": "", "users": 0,
        "built_in": False, "mfa_required": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("standing", "typed", "sent"),
    [
        (NO_FACTOR, "my password", {"password": "my password"}),
        ({**NO_FACTOR, "totp": True}, "123 456", {"code": "123 456"}),
        (
            {**NO_FACTOR, "recovery_codes_left": 1},
            "k7xm-2fqa-p9wd-h4tz",
            {"recovery_code": "k7xm-2fqa-p9wd-h4tz"},
        ),
    ],
)
def test_a_fresh_factor_is_asked_for_and_the_work_goes_on(
    strongroom: Run, gateway: Double, terminal: Ask, standing: Any, typed: str, sent: Any
) -> None:
    """Lost: the work, for a login that was six minutes ago."""
    gateway.answers = {
        "POST /api/roles": [refused(403, "step_up_required"), (201, _role())],
        "GET /api/auth/mfa": [(200, standing)],
        "POST /api/auth/step-up": [(204, None)],
    }
    terminal(typed)
    outcome = strongroom("roles", "create", "restorer", "--permission", "backups:read", "--json")
    assert (outcome.code, json.loads(outcome.out)) == (0, _role())
    assert gateway.said("POST /api/auth/step-up") == [sent]
    assert len(gateway.said("POST /api/roles")) == 2


def test_nobody_is_asked_where_nobody_is(
    strongroom: Run, gateway: Double, terminal: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: a script that hangs; or the way on, for a program's key and a passkey's owner."""
    gateway.answers = {
        "DELETE /api/roles/x": [refused(403, "step_up_required")],
        "GET /api/auth/mfa": [(200, {**NO_FACTOR, "passkeys": 1})],
    }
    without = strongroom("roles", "delete", "x")
    assert (without.code, "strongroom login" in without.err) == (4, True)
    monkeypatch.setenv("STRONGROOM_TOKEN", "sgk_of_a_program")
    by_key = strongroom("roles", "delete", "x")
    assert (by_key.code, "--sensitive" in by_key.err) == (4, True)
    monkeypatch.setenv("STRONGROOM_TOKEN", "a session")
    terminal()
    passkey = strongroom("roles", "delete", "x")
    assert (passkey.code, "API key" in passkey.err) == (4, True)
    assert not gateway.said("POST /api/auth/step-up")


def test_a_refusal_says_all_of_it(strongroom: Run, gateway: Double, tmp_path: Path) -> None:
    """Lost: five more tries for a password; or the kind of failure, for a script."""
    reasons = [{"field": "password", "reason": why} for why in ("Too short", "Needs a digit")]
    gateway.answers = {
        "POST /api/users": [
            refused(422, "validation_error", errors=reasons),
            refused(409, "user_exists"),
            refused(429, "rate_limited"),
            refused(423, "account_locked"),
        ]
    }
    file = tmp_path / "password"
    file.write_text("x")
    outcomes = [strongroom("users", "create", "a", "--password-file", file) for _ in range(4)]
    assert [outcome.code for outcome in outcomes] == [2, 6, 10, 4]
    assert "No: password: Too short, Needs a digit" in outcomes[0].err
    assert "7 seconds" in outcomes[2].err


def test_a_device_that_logged_in_is_known_the_next_time(
    strongroom: Run, gateway: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the administrator's login, to strangers who guess at it."""
    monkeypatch.setenv(asking.PASSWORD, "secret")
    session = {"token": "t", "limit": None, "user": {"name": "admin"}}
    gateway.answers = {"POST /api/auth/login": [(200, session)]}
    for user in ("admin", "admin", "ada"):
        assert strongroom("login", "--user", user).code == 0
    assert gateway.devices == [None, "known-device", None]


def test_a_server_with_an_own_authority_is_trusted_by_its_file(
    strongroom: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Lost: the command line, or its password to whoever stands between."""
    authority = Authority(tmp_path)
    issued = authority.issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    with serving(context) as double:
        double.answers = {"GET /api/roles": [(200, {"roles": []})]}
        monkeypatch.setenv("STRONGROOM_SERVER", f"https://localhost:{double.server_port}")
        monkeypatch.delenv("STRONGROOM_CA_FILE", raising=False)
        strange = strongroom("roles", "list")
        assert (strange.code, "STRONGROOM_CA_FILE" in strange.err) == (10, True)
        monkeypatch.setenv("STRONGROOM_CA_FILE", str(authority.certificate))
        assert strongroom("roles", "list").code == 0
        monkeypatch.setenv("STRONGROOM_CA_FILE", str(tmp_path / "none.pem"))
        assert strongroom("roles", "list").code == 2
