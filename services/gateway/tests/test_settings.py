"""The documented settings: their names, their defaults, and that each does something."""

from pathlib import Path

import pytest

import gateway
from common.errors import Invalid
from common.service.environment import load
from gateway.settings import GatewaySettings

# As the security guide has them. The two of the audit log are those of audit-sink.
DOCUMENTED = {
    "SECURITY_MAX_REQUESTS_PER_MINUTE": 60,
    "SECURITY_MAX_REQUESTS_PER_HOUR": 1000,
    "SECURITY_MAX_LOGIN_ATTEMPTS": 5,
    "SECURITY_LOCKOUT_DURATION": 15,
    "SECURITY_MIN_PASSWORD_LENGTH": 12,
    "SECURITY_REQUIRE_UPPERCASE": True,
    "SECURITY_REQUIRE_LOWERCASE": True,
    "SECURITY_REQUIRE_DIGITS": True,
    "SECURITY_REQUIRE_SPECIAL": True,
    "SECURITY_PASSWORD_HISTORY": 5,
    "SECURITY_SESSION_TIMEOUT": 30,
    "SECURITY_MAX_SESSIONS": 3,
    "SECURITY_MAX_INPUT_LENGTH": 10_000,
    "SECURITY_MAX_FILE_SIZE_MB": 10,
}
KEYS = {"SECURITY_ENCRYPTION_KEY", "SECURITY_KEY_SALT"}


@pytest.fixture
def from_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without anything that is asked about."""
    for name in GatewaySettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@localhost/nothing")
    return monkeypatch


def test_the_documented_names_and_defaults(from_environment: pytest.MonkeyPatch) -> None:
    """Otherwise an operator who follows the document gets another policy."""
    found = GatewaySettings()
    assert {name: getattr(found, name.lower()) for name in DOCUMENTED} == DOCUMENTED
    for name, default in DOCUMENTED.items():
        from_environment.setenv(name, "false" if default is True else "7")
    for name in KEYS:
        from_environment.setenv(name, "Rk3vQ8sT1xZ6bN4mJ7pL2wY9cF5hD0gA")
    changed = GatewaySettings()
    assert not any(getattr(changed, name.lower()) == DOCUMENTED[name] for name in DOCUMENTED)
    assert all(getattr(changed, name.lower()).get_secret_value() for name in KEYS)


@pytest.mark.parametrize(
    "name", sorted(name for name in GatewaySettings.model_fields if name.startswith("security_"))
)
def test_no_setting_is_read_and_ignored(name: str) -> None:
    """Otherwise an operator believes in a rule that nobody keeps."""
    folder = Path(gateway.__path__[0])
    used = sum(f".{name}" in path.read_text() for path in folder.rglob("*.py"))
    assert used


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STRONGROOM_TRUSTED_PROXIES", "127.0.0.1, proxy.example.com"),
        ("STRONGROOM_ALLOWED_HOSTS", "https://backup.example.com"),
        ("STRONGROOM_ALLOWED_HOSTS", "backup.example.com:8443"),
        ("STRONGROOM_CORS_ORIGINS", "till.example.com"),
        ("STRONGROOM_CORS_ORIGINS", "https://till.example.com/"),
    ],
)
def test_what_the_edge_cannot_use_is_refused_at_the_start(
    from_environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Lost: every request, which is answered 500 or 400, or a page that is never let in."""
    from_environment.setenv(name, value)
    with pytest.raises(Invalid, match=f"^{name}: one of them is no "):
        load(GatewaySettings)


def test_the_edge_takes_what_its_guide_shows(from_environment: pytest.MonkeyPatch) -> None:
    """Lost: the gateway behind a proxy."""
    from_environment.setenv("STRONGROOM_TRUSTED_PROXIES", "10.0.0.0/8,2001:db8::1")
    from_environment.setenv("STRONGROOM_ALLOWED_HOSTS", "Backup.example.com, ::1")
    from_environment.setenv("STRONGROOM_CORS_ORIGINS", "https://till.example.com:8443")
    found = load(GatewaySettings)
    assert found.strongroom_trusted_proxies == ("10.0.0.0/8", "2001:db8::1")
    assert found.strongroom_allowed_hosts == ("Backup.example.com", "::1")
    assert found.strongroom_cors_origins == ("https://till.example.com:8443",)


@pytest.mark.parametrize(
    "name",
    [
        "SECURITY_SESSION_TIMEOUT",
        "SECURITY_SESSION_LIFETIME",
        "SECURITY_STEP_UP_MINUTES",
        "SECURITY_LOCKOUT_DURATION",
        "SECURITY_MAX_SESSIONS",
        "SECURITY_MAX_LOGIN_ATTEMPTS",
        "SECURITY_RATE_SHARES",
    ],
)
def test_what_no_calendar_or_database_can_hold_is_refused_at_the_start(
    from_environment: pytest.MonkeyPatch, name: str
) -> None:
    """Lost: every login, which is answered 500."""
    huge = "99999999999999999999"
    from_environment.setenv(
        name, '{"normal": Infinity}' if name == "SECURITY_RATE_SHARES" else huge
    )
    with pytest.raises(Invalid, match=rf"^{name}\S*: Input should be less than or equal to"):
        load(GatewaySettings)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SECURITY_RATE_SHARES", '{"login": 0.1}'),
        ("GATEWAY_OIDC_GROUP_ROLES", '{"audit": "auditor"}'),
    ],
)
def test_json_may_stand_in_a_file(
    from_environment: pytest.MonkeyPatch, tmp_path: Path, name: str, text: str
) -> None:
    """Lost: a setting that its guide says may stand in a file."""
    from_environment.setenv(name, text)
    in_variable = load(GatewaySettings)
    from_environment.delenv(name)
    file = tmp_path / "value"
    file.write_text(f"{text}\n")
    from_environment.setenv(f"{name}_FILE", str(file))
    assert load(GatewaySettings) == in_variable
    assert getattr(in_variable, name.lower())
    file.write_text("audit=hunter2")
    with pytest.raises(Invalid, match=f"^{name}: it is no JSON") as caught:
        load(GatewaySettings)
    assert "hunter2" not in str(caught.value)
