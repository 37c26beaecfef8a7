"""The documented settings: their names, their defaults, and that each does something."""

from pathlib import Path

import pytest

import gateway
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
