"""The product on one machine: one process, an embedded database, nothing else."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.standalone_process import Machine, machine

pytestmark = pytest.mark.slow


@pytest.fixture
def fresh() -> Iterator[Machine]:
    with machine() as made:
        yield made


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    (folder / "deep").mkdir()
    (folder / "deep" / "letter.txt").write_text("dear reader\n" * 5000)
    (folder / "link").symlink_to("deep")
    os.link(folder / "deep" / "letter.txt", folder / "twin")
    return folder


def test_the_first_backup_is_proven_and_rescued(fresh: Machine, source: Path) -> None:
    """Lost: the product's promise, from nothing to a proven backup by one command."""
    first = fresh.run(*_first_backup(fresh, source))
    assert first.returncode == 0, first.stderr
    assert "identical: 5 entries, 2 files byte by byte" in first.stdout
    assert "second-copy: proven there" in first.stdout
    assert f"{fresh.url}/docs" in first.stdout
    again = fresh.run(*_first_backup(fresh, source))
    assert again.returncode == 0, again.stderr
    assert "password" in first.stdout
    assert "password" not in again.stdout
    _rescue_from_the_second_copy(fresh, source)


def _first_backup(fresh: Machine, source: Path) -> tuple[object, ...]:
    data = ("--data", fresh.data, "--port", fresh.port)
    return ("first-backup", *data, "--source", source, "--exit")


def _rescue_from_the_second_copy(fresh: Machine, source: Path) -> None:
    """Services, database and the repository itself are gone: a copy and the key are left."""
    key = fresh.data / "secrets" / "backup_encryption_key"
    target = fresh.folder / "rescued"
    copy = fresh.data / "second-copy"
    rescued = fresh.run("rescue", "restore", copy, "latest", target, "--key-file", key)
    assert rescued.returncode == 0, rescued.stderr
    letter = target / "files" / source.relative_to("/") / "deep" / "letter.txt"
    assert letter.read_bytes() == (source / "deep" / "letter.txt").read_bytes()
    assert any((target / "database").iterdir())


def test_the_first_password_is_told_once_and_the_second_start_is_quick(fresh: Machine) -> None:
    """Lost: getting in; or the password, in every log of every start."""
    with fresh.up() as running:
        password = running.password
        fresh.environment["STRONGROOM_PASSWORD"] = password
        assert fresh.run("login").returncode == 0
    assert running.stop() == 0
    with fresh.up() as running:
        assert running.password == ""
        assert fresh.run("login").returncode == 0
        assert running.cpu_seconds_to_ready < 12
    stored = [path for path in fresh.data.rglob("*") if path.is_file()]
    assert not [path for path in stored if password.encode() in path.read_bytes()]
    assert not [path for path in stored if path.stat().st_mode & 0o077]


def test_the_commands_of_the_client(fresh: Machine, source: Path) -> None:
    """Lost: working without a browser: everything here goes over the HTTP API."""
    fresh.environment |= {
        "STRONGROOM_ADMIN_PASSWORD": "correct-horse-battery",
        "STRONGROOM_PASSWORD": "correct-horse-battery",
    }
    with fresh.up() as running:
        assert running.password == ""
        assert "correct-horse" not in running.printed
        assert fresh.run("login").returncode == 0
        taken = fresh.run("backup", "database", "--name", "before", "--json")
        assert json.loads(taken.stdout)["state"] == "succeeded"
        assert fresh.run("verify", "before").returncode == 0
        restored = fresh.run("restore", "latest", "--target", "look", "--json")
        assert json.loads(restored.stdout)["state"] == "succeeded"
        assert "before" in fresh.run("backups").stdout
        assert json.loads(fresh.run("status", "--json").stdout)["backups"] == {"completed": 1}
        assert fresh.run("delete", "before", "--yes", "--reason", "a test").returncode == 0
        assert fresh.run("verify", "before").returncode == 5
        assert fresh.run("backup", "nothing-of-that-name").returncode != 0
        assert fresh.run("dead-letters", "list", "--data", fresh.data).returncode == 0
        _manage_access(fresh)
        assert fresh.run("logout").returncode == 0
        assert fresh.run("status").returncode == 4
    late = fresh.run("dead-letters", "list", "--data", fresh.data)
    assert (late.returncode, f"strongroom up --data {fresh.data}" in late.stderr) == (10, True)


def _manage_access(fresh: Machine) -> None:
    """A user, and the key of a program, which is worth nothing once it is revoked."""
    fresh.environment["STRONGROOM_NEW_PASSWORD"] = "Corridor-lantern-42-plum"
    assert fresh.run("users", "create", "ada", "--role", "viewer").returncode == 0
    known = json.loads(fresh.run("audit", "permissions", "--user", "Ada", "--json").stdout)
    assert [use["permission"] for use in known["permissions"]] == ["backups:read"]
    made = fresh.run("apikeys", "create", "nightly", "--scope", "backups:read")
    fresh.environment["STRONGROOM_TOKEN"] = made.stdout.strip()
    assert fresh.run("backups").returncode == 0
    del fresh.environment["STRONGROOM_TOKEN"]
    assert fresh.run("apikeys", "revoke", "nightly").returncode == 0
    keys = json.loads(fresh.run("keys", "status", "--json").stdout)
    assert {each["unreadable"] for each in keys["keys"]} == {0}


def test_what_stands_in_the_way_is_named(fresh: Machine, source: Path) -> None:
    """Lost: the sentence that says what to do."""
    with fresh.up():
        second = fresh.run("up", "--data", fresh.data, "--port", fresh.other_port)
        assert (second.returncode, "already runs" in second.stderr) == (6, True)
        used = fresh.run("up", "--data", fresh.folder / "other", "--port", fresh.port)
        assert (used.returncode, "already used" in used.stderr) == (6, True)
        assert not (fresh.folder / "other").exists()
    stray = fresh.run("up", "--data", source, "--port", fresh.port)
    assert (stray.returncode, "not empty" in stray.stderr) == (2, True)
    (fresh.data / "secrets" / "backup_encryption_key").unlink()
    fresh.environment["SECURITY_BCRYPT_ROUNDS"] = "many"
    wrong = fresh.run("up", "--data", fresh.data, "--port", fresh.port)
    assert (wrong.returncode, "SECURITY_BCRYPT_ROUNDS" in wrong.stderr) == (2, True)


def test_a_database_that_dies_ends_the_product_with_a_word(fresh: Machine) -> None:
    """Lost: a product that looks alive and cannot work."""
    with fresh.up() as running:
        os.kill(_postmaster(fresh), signal.SIGKILL)
        assert running.process.wait(120) == 10
        assert "database has ended unexpectedly" in running.printed


def test_a_killed_product_leaves_nothing_running_and_starts_again(fresh: Machine) -> None:
    """Lost: the start after a power cut, a full memory, a kill."""
    with fresh.up() as running:
        running.process.kill()
        running.process.wait()
    with fresh.up() as running:
        with socket.create_connection(("127.0.0.1", fresh.port), timeout=60):
            pass
        assert running.password == ""
    assert running.stop() == 0
    assert not (fresh.data / "postgres" / "server" / "data" / "postmaster.pid").exists()


def _postmaster(fresh: Machine) -> int:
    pidfile = fresh.data / "postgres" / "server" / "data" / "postmaster.pid"
    return int(pidfile.read_text().split()[0])
