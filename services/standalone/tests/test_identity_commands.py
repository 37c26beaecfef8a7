"""Users, keys and factors on the command line: what is asked for, what is told, what is not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from http_double import Double, refused
from standalone.client import asking

Run = Callable[..., Any]
Ask = Callable[..., list[str]]
ID = "019ab0c4-7d1e-7c3a-9b57-6a1f0f3c2d11"
ADA = {
    "id": ID, "name": "Ada", "roles": ["operator"], "created_at": "2026-11-22T02:00:00Z",
    "last_login_at": None, "disabled_at": None, "must_change_password": True,
    "has_password": True, "second_factor": False, "external": False,
}  # fmt: skip
KEY = {
    "id": ID, "name": "nightly", "prefix": "sgk_a1B2c3D4", "scopes": ["backups:create"],
    "station": "till-7", "sensitive": False, "expires_at": None, "last_used_at": None,
}  # fmt: skip


def test_a_new_users_password_comes_by_a_prompt_a_file_or_a_variable(
    strongroom: Run,
    gateway: Double,
    terminal: Ask,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lost: the password, to whoever lists processes; or to a typing error."""
    gateway.answers = {"POST /api/users": [(201, ADA)]}
    file = tmp_path / "password"
    file.write_text("from the file\n")
    made = strongroom("users", "create", "Ada", "--role", "operator", "--password-file", file)
    assert (made.code, "has to change the password" in made.out) == (0, True)
    monkeypatch.setenv(asking.NEW_PASSWORD, "from the variable")
    assert strongroom("users", "create", "Ada", "--no-change").code == 0
    monkeypatch.delenv(asking.NEW_PASSWORD)
    assert asking.NEW_PASSWORD in strongroom("users", "create", "Ada").err
    terminal("typed", "typed")
    assert strongroom("users", "create", "Ada").code == 0
    terminal("typed", "tpyed")
    assert strongroom("users", "create", "Ada").code == 2
    said = gateway.said("POST /api/users")
    assert [body["password"] for body in said] == ["from the file", "from the variable", "typed"]
    assert [body["must_change_password"] for body in said] == [True, False, True]


def test_a_user_is_found_by_name_on_any_page(strongroom: Run, gateway: Double) -> None:
    """Lost: everybody after the two hundredth; or somebody else's access."""
    others = [{**ADA, "name": f"user {number}"} for number in range(200)]
    gateway.answers = {
        "GET /api/users?limit=200&offset=0": [(200, {"users": others})],
        "GET /api/users?limit=200&offset=200": [(200, {"users": [ADA]})],
        f"POST /api/users/{ID}/disable": [(200, ADA)],
        f"PATCH /api/users/{ID}": [(200, ADA)],
    }
    assert strongroom("users", "disable", "ada").code == 2
    assert strongroom("users", "disable", "ada", "--yes").code == 0
    assert strongroom("users", "set-role", "ADA", "viewer", "auditor").code == 0
    assert gateway.said(f"PATCH /api/users/{ID}") == [{"roles": ["viewer", "auditor"]}]
    assert strongroom("users", "enable", "adam").code == 5


def test_an_api_key_is_shown_once(strongroom: Run, gateway: Double, tmp_path: Path) -> None:
    """Lost: the key, to a log, or to nobody at all."""
    gateway.answers = {
        "POST /api/api-keys": [(201, {"key": "sgk_a1B2c3D4_secret", "api_key": KEY})],
        "GET /api/api-keys": [(200, {"api_keys": [KEY]})],
        f"DELETE /api/api-keys/{ID}": [(204, None)],
    }
    create = ("apikeys", "create", "nightly", "--scope", "backups:create")
    shown = strongroom(*create, "--station", "till-7", "--expires", "never")
    assert (shown.code, shown.out) == (0, "sgk_a1B2c3D4_secret\n")
    file = tmp_path / "key"
    kept = strongroom(*create, "--out", file, "--json")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("sgk_a1B2c3D4_secret\n", 0o600)
    assert "secret" not in kept.out + kept.err
    assert strongroom(*create, "--out", file).code == 6
    assert strongroom(*create, "--expires", "soon").code == 2
    said = gateway.said("POST /api/api-keys")
    assert [(body["expires_in_days"], body["station"]) for body in said] == [
        (None, "till-7"),
        (90, ""),
    ]
    assert "till-7" in strongroom("apikeys", "list").out
    assert strongroom("apikeys", "revoke", "sgk_a1B2c3D4").code == 0
    assert strongroom("apikeys", "revoke", "weekly").code == 5


def test_an_authenticator_is_set_up_in_a_terminal(
    strongroom: Run, gateway: Double, terminal: Ask
) -> None:
    """Lost: the second factor, for a typing error or an address that was cut off."""
    uri = f"otpauth://totp/Strongroom:admin?secret={'JBSWY3DP' * 4}&issuer=Strongroom"
    codes = ["k7xm-2fqa-p9wd-h4tz", "aaaa-bbbb-cccc-dddd"]
    gateway.answers = {
        "POST /api/auth/mfa/totp": [(201, {"secret": "JBSWY3DP" * 4, "uri": uri})],
        "POST /api/auth/mfa/totp/confirm": [
            refused(403, "wrong_factor"),
            (200, {"recovery_codes": codes}),
        ],
    }
    assert strongroom("factors", "add-totp").code == 2
    assert not gateway.asked
    terminal("000000", "492039")
    outcome = strongroom("factors", "add-totp")
    assert outcome.code == 0
    assert uri in outcome.out.splitlines()
    assert outcome.out.splitlines()[-2:] == codes
    terminal("000000", "000000", "000000")
    gateway.answers["POST /api/auth/mfa/totp/confirm"] = [refused(403, "wrong_factor")]
    assert strongroom("factors", "add-totp").code == 4


def test_sessions_end_one_by_one_or_all(strongroom: Run, gateway: Double) -> None:
    """Lost: a stolen session goes on, or every device has to log in again for one."""
    gateway.answers = {
        f"DELETE /api/auth/sessions/{ID}": [(204, None)],
        "DELETE /api/auth/sessions": [(200, {"ended": 2})],
        f"GET /api/users/{ID}": [(200, ADA)],
        f"DELETE /api/users/{ID}/sessions": [(200, {"ended": 1})],
    }
    assert strongroom("sessions", "revoke").code == 2
    assert strongroom("sessions", "revoke", ID).code == 0
    assert "2 sessions" in strongroom("sessions", "revoke", "--all").err
    assert "1 session " in strongroom("sessions", "revoke", "--all", "--user", ID).err


def test_the_audit_log_names_users_to_those_who_may_know_them(
    strongroom: Run, gateway: Double
) -> None:
    """Lost: who it was; or a refusal in the log for every look at it."""
    entry = {
        "timestamp": "2026-11-22T02:00:00Z", "event_type": "user_created", "success": True,
        "risk_level": "high", "user_id": ID, "ip_address": "192.0.2.1", "action": "POST",
        "resource": "/api/users",
    }  # fmt: skip
    path = "/api/v2/security/audit-logs?risk_level=high&limit=50&offset=0"
    gateway.answers = {
        f"GET {path}": [(200, {"data": {"logs": [entry], "total": 3}})],
        "GET /api/auth/me": [(200, {"permissions": ["users:manage"]}), (200, {"permissions": []})],
        "GET /api/users?limit=200&offset=0": [(200, {"users": [ADA]})],
    }
    outcome = strongroom("audit", "list", "--risk", "high")
    assert ("Ada" in outcome.out, "2 older" in outcome.err) == (True, True)
    assert ID in strongroom("audit", "list", "--risk", "high").out
    assert json.loads(strongroom("audit", "list", "--risk", "high", "--json").out)["total"] == 3
