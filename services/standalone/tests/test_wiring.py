"""Who gets which secret, and what a new machine backs up."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import BaseModel, SecretStr

from common.errors import Invalid, WrongKey
from standalone import text
from standalone.commands.serve import module_of
from standalone.postgres import Cluster
from standalone.product import components_file
from standalone.product.address import Address
from standalone.product.datadir import DataDirectory
from standalone.product.launch import Session, greet
from standalone.product.wiring import ENCRYPTION_KEY, Keys, Wiring, keys_of


class Double:
    """A cluster that only tells where it would be."""

    def url(self, role: str) -> str:
        return f"postgresql://{role}:secret-of-{role}@/strongroom?host=/run"

    def password(self, role: str) -> str:
        return f"secret-of-{role}"

    def password_file(self, role: str) -> Path:
        return Path("/passwords") / role


KEY = "an encryption key that nobody guesses, 1"
CLUSTER = cast("Cluster", Double())


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataDirectory:
    for name in (
        "BACKUP_ENCRYPTION_KEY", "BACKUP_ENCRYPTION_ENABLED", "STRONGROOM_DESTINATIONS",
        "ENCRYPTION_KEY", "SECURITY_ENCRYPTION_KEY", "SECURITY_KEY_SALT",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    made = DataDirectory(tmp_path / "data")
    with made.opened():
        pass
    return made


def _secrets(settings: BaseModel) -> set[str]:
    values = [getattr(settings, name) for name in type(settings).model_fields]
    return {each.get_secret_value() for each in values if isinstance(each, SecretStr)} - {""}


def test_each_service_gets_its_own_secrets_alone(directory: DataDirectory) -> None:
    """Lost: the wall between who writes, who copies and who can read."""
    keys = Keys(SecretStr(KEY), SecretStr("the writer key"))
    wiring = Wiring(directory, CLUSTER, keys)
    bus = Double().url("bus")

    def made(*names: str) -> set[str]:
        return {directory.secret(name).get_secret_value() for name in names}

    own: dict[str, tuple[Callable[[], Any], set[str]]] = {
        "gateway": (
            lambda: wiring.gateway(Address("127.0.0.1", 8000)),
            made("security_encryption_key", "security_key_salt"),
        ),
        "backup_worker": (wiring.backup_worker, {"the writer key"}),
        "restore_worker": (wiring.restore_worker, {KEY}),
        "token_service": (wiring.token_service, {KEY, *made("encryption_key")}),
        "storage_uploader": (wiring.storage_uploader, set()),
        "audit_sink": (wiring.audit_sink, set()),
    }
    for role, (make, secrets) in own.items():
        assert _secrets(make()) == {Double().url(role), bus, *secrets}, role


def test_copies_are_made_of_this_repository_wherever_they_go(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: every copy, as soon as it goes to a place of one's own."""
    wiring = Wiring(directory, CLUSTER, Keys(SecretStr(KEY), SecretStr("the writer key")))
    for name in "second-copy", "safe":
        settings = wiring.storage_uploader()
        assert [each.name for each in settings.strongroom_destinations] == [name]
        assert settings.backup_local_dir == directory.repository
        monkeypatch.setenv("STRONGROOM_DESTINATIONS", '[{"name": "safe", "url": "file:///safe"}]')


def test_a_key_from_the_environment_is_not_stored_and_not_replaced(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: every backup, if a start without the key quietly made another one."""
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", KEY)
    assert keys_of(directory).encryption.get_secret_value() == KEY
    assert not directory.has_secret(ENCRYPTION_KEY)
    directory.repository.mkdir()
    (directory.repository / "config").touch()
    monkeypatch.delenv("BACKUP_ENCRYPTION_KEY")
    with pytest.raises(WrongKey, match="as before"):
        keys_of(directory)


def test_weak_keys_are_told_of_in_development_and_refused_in_production(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: everything, to a key that was copied from a document."""
    weak = "your-backup-encryption-key"
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", weak)
    monkeypatch.setenv("ENVIRONMENT", "development")
    wiring = Wiring(directory, CLUSTER, keys_of(directory))
    wiring.token_service()
    wiring.restore_worker()
    (told,) = wiring.weak
    assert "BACKUP_ENCRYPTION_KEY" in told
    assert weak not in told
    monkeypatch.setenv("ENVIRONMENT", "production")
    with pytest.raises(Invalid, match="BACKUP_ENCRYPTION_KEY is too weak"):
        keys_of(directory)


@pytest.mark.parametrize(
    ("host", "url", "console_url", "in_clear"),
    [
        ("127.0.0.1", "http://127.0.0.1:80", "http://localhost:80", False),
        ("::1", "http://[::1]:80", "http://localhost:80", False),
        ("0.0.0.0", "http://localhost:80", "http://localhost:80", True),
        ("vault.example", "http://vault.example:80", "http://vault.example:80", True),
    ],
)
def test_the_address_is_one_that_can_be_opened(
    host: str, url: str, console_url: str, *, in_clear: bool
) -> None:
    """Lost: the link that is printed; passkeys; or the warning that passwords can be read."""
    address = Address(host, 80)
    assert (address.url, address.console_url, address.in_clear) == (url, console_url, in_clear)
    safe = Address(host, 80, Path("certificate.pem"))
    assert (safe.url, safe.in_clear) == (console_url.replace("http", "https"), False)


def test_browsers_find_the_console_where_it_listens(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: every passkey on another port than the default."""
    wiring = Wiring(directory, CLUSTER, Keys(SecretStr(KEY), SecretStr("the writer key")))
    monkeypatch.delenv("GATEWAY_PUBLIC_URL", raising=False)
    address = Address("127.0.0.1", 9443, Path("certificate.pem"))
    assert wiring.gateway(address).gateway_public_url == "https://localhost:9443"
    monkeypatch.setenv("GATEWAY_PUBLIC_URL", "https://backup.example.com")
    assert wiring.gateway(address).gateway_public_url == "https://backup.example.com"
    monkeypatch.setenv("GATEWAY_PUBLIC_URL", "")
    assert wiring.gateway(address).gateway_public_url == "https://localhost:9443"
    file = directory.path / "public_url"
    file.write_text("https://filed.example.com\n")
    monkeypatch.setenv("GATEWAY_PUBLIC_URL_FILE", str(file))
    assert wiring.gateway(address).gateway_public_url == "https://filed.example.com"


@pytest.mark.parametrize("name", ["STRONGROOM_STATION", "GATEWAY_STATION"])
def test_a_request_means_the_one_station_there_is(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Lost: every backup, which waits for a station that nobody is."""
    wiring = Wiring(directory, CLUSTER, Keys(SecretStr(KEY), SecretStr("the writer key")))
    monkeypatch.setenv(name, "shop")
    asked = wiring.gateway(Address("127.0.0.1", 80)).gateway_station
    assert asked == wiring.backup_worker().strongroom_station


def test_without_a_key_one_is_made_once(directory: DataDirectory) -> None:
    """Lost: the first backups, at the second start."""
    first = keys_of(directory)
    assert keys_of(directory) == first
    assert first.writer.get_secret_value().startswith("swk1-")


@pytest.mark.parametrize("made", [True, False])
def test_only_a_key_that_was_made_here_is_shown(
    directory: DataDirectory, capfd: pytest.CaptureFixture[str], *, made: bool
) -> None:
    """Lost: the key from the environment, which nobody keeps: another file is to be copied."""
    if made:
        directory.secret(ENCRYPTION_KEY)
    place = SimpleNamespace(socket=Path("/run"))
    session = SimpleNamespace(
        address=Address("127.0.0.1", 80), cluster=SimpleNamespace(place=place),
        directory=directory, first_password="shown once",
    )  # fmt: skip
    greet(cast("Session", session))
    shown = "".join(capfd.readouterr())
    assert "shown once" in shown
    assert ("without it no backup opens" in shown) is made


def test_a_new_machine_backs_up_its_own_database_and_the_source(directory: DataDirectory) -> None:
    """Lost: a first backup without any configuration."""
    source = Path('/srv/odd "name"')
    assert components_file.ensure(directory, CLUSTER, source)
    written = directory.components.read_text()
    parsed = tomllib.loads(written)["components"]
    assert parsed["files"] == {"kind": "files", "paths": [str(source)]}
    assert parsed["database"]["password_file"] == "/passwords/platform_backup"
    assert "secret-of" not in written


def test_where_the_data_directory_was_moved_to_its_database_is_still_backed_up(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: every backup after a move, for a password file that is not there any more."""
    source, own = Path("/srv/data"), '\n[components.own]\nkind = "files"\npaths = ["/own"]\n'
    components_file.ensure(directory, CLUSTER, source)
    with directory.components.open("a") as file:
        file.write(own)
    monkeypatch.setattr(Double, "password_file", lambda self, role: Path("/moved") / role)
    components_file.ensure(directory, CLUSTER)
    parsed = tomllib.loads(directory.components.read_text())["components"]
    assert parsed["database"]["password_file"] == "/moved/platform_backup"
    assert parsed["files"]["paths"] == [str(source)]
    assert parsed["own"]["paths"] == ["/own"]


def test_the_data_directory_is_never_in_its_own_backup(directory: DataDirectory) -> None:
    """Lost: the disk, to a repository that backs itself up."""
    components_file.ensure(directory, CLUSTER, directory.path.parent)
    parsed = tomllib.loads(directory.components.read_text())["components"]
    assert parsed["files"]["exclude"] == ["/data/"]


def test_a_file_that_was_taken_over_stays(directory: DataDirectory) -> None:
    """Lost: an operator's configuration."""
    components_file.ensure(directory, CLUSTER)
    own = directory.components.read_text().removeprefix(components_file.MANAGED)
    directory.components.write_text(own)
    assert components_file.ensure(directory, CLUSTER)
    assert not components_file.ensure(directory, CLUSTER, Path("/srv"))
    assert directory.components.read_text() == own


def test_services_go_by_several_names() -> None:
    """Lost: the command in a deployment that writes a name its own way."""
    assert module_of("backup_worker") == module_of("backup-worker") == "backup_worker"
    with pytest.raises(Invalid, match="Take one of"):
        module_of("baker")


def test_numbers_as_people_read_them() -> None:
    """Lost: the order of magnitude."""
    assert [text.size(each) for each in (0, 999, 1000, 999_999, 5_000_000_000)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "1.0 MB",
        "5.0 GB",
    ]
    assert [text.duration(each) for each in (0.44, 59.9, 200, 7500)] == [
        "0.4 s",
        "59.9 s",
        "3 min 20 s",
        "2 h 05 min",
    ]
    assert [text.count(each, "entry") for each in (1, 1200)] == ["1 entry", "1,200 entries"]
