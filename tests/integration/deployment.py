"""All six services as the images run them: a process each, over RabbitMQ and PostgreSQL."""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from yarl import URL

from common.crypto.keys import (
    WRITER_PREFIX,
    derive_writer_key,
    generate_encryption_key,
    write_key,
)
from integration.ports import free_port
from integration.station import Worker

Url = Callable[[str], str]
PASSWORD = "Correct-Horse-Battery-9"
MODULES = (
    "token_service",
    "audit_sink",
    "restore_worker",
    "backup_worker",
    "storage_uploader",
    "gateway",
)


class Deployment:
    """Six processes with their own logins and secrets, and a client that is logged in."""

    def __init__(self, folder: Path, database: Url, broker: Url) -> None:
        self.folder, self._database, self._broker = folder, database, broker
        self.repository, self.mirror = folder / "repository", folder / "mirror"
        self.restores, self.audit_log = folder / "restores", folder / "logs" / "audit.log"
        self.components = folder / "components.toml"
        self.encryption_key = generate_encryption_key()
        self.tokens_key, self.gateway_key, self.gateway_salt = (
            generate_encryption_key() for _ in range(3)
        )
        self.processes: dict[str, Worker] = {}
        self.api = httpx.Client(base_url=f"http://127.0.0.1:{free_port()}", timeout=90)

    def secrets(self) -> dict[str, str]:
        """What must stand in no log, event or audit entry, by its name."""
        found = {
            "the administrator's password": PASSWORD,
            "a session's token": self.api.headers["authorization"].removeprefix("Bearer "),
            "BACKUP_ENCRYPTION_KEY": self.encryption_key,
            "BACKUP_WRITER_KEY": self._writer_key(),
            "ENCRYPTION_KEY": self.tokens_key,
            "SECURITY_ENCRYPTION_KEY": self.gateway_key,
            "SECURITY_KEY_SALT": self.gateway_salt,
        }
        for module in MODULES:
            for name, url in (
                ("DATABASE_URL", self._database(module)),
                ("AMQP_URL", self._broker(module.replace("_", "-"))),
            ):
                found[f"the password in {name} of {module}"] = str(URL(url).password)
        return found

    def start(self) -> None:
        """Start all six and log in; each must be ready in time."""
        ports = {module: free_port() for module in MODULES}
        for module in MODULES:
            environment = self._environment(module, ports[module])
            self.processes[module] = Worker(module, environment, self.folder / f"{module}.log")
        for module in MODULES:
            self._await_ready(module, ports[module])
        answer = self.asked("POST", "/api/auth/login", username="admin", password=PASSWORD)
        self.api.headers["authorization"] = f"Bearer {answer['token']}"

    def asked(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """The answer to a request, which must have been a good one."""
        answer = self.api.request(method, path, json=body or None, headers={"prefer": "wait=60"})
        assert answer.is_success, f"{answer.status_code} {answer.text}\n{self.words()}"
        found: dict[str, Any] = answer.json()
        return found

    def done(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """Ask for long work, wait for its end, and give its outcome; it must have succeeded."""
        outcome = self.asked(method, path, **body)
        assert outcome["state"] == "succeeded", f"{outcome}\n{self.words()}"
        return outcome

    def eventually(self, check: Callable[[], Any], within: float = 90.0) -> Any:
        """What ``check`` gives as soon as that is not false."""
        deadline = time.monotonic() + within
        while not (found := check()):
            assert time.monotonic() < deadline, self.words()
            time.sleep(0.1)
        return found

    def words(self) -> str:
        """The ends of all logs."""
        return "\n".join(f"--- {name}\n{each.words()}" for name, each in self.processes.items())

    def _writer_key(self) -> str:
        return write_key(WRITER_PREFIX, derive_writer_key(self.encryption_key))

    def _environment(self, module: str, health_port: int) -> dict[str, str]:
        own = {
            "gateway": {
                "GATEWAY_PORT": str(self.api.base_url.port),
                "STRONGROOM_ADMIN_PASSWORD": PASSWORD,
                "SECURITY_ENCRYPTION_KEY": self.gateway_key,
                "SECURITY_KEY_SALT": self.gateway_salt,
            },
            "backup_worker": {"BACKUP_WRITER_KEY": self._writer_key(), "BACKUP_MIN_FREE_MB": "0"},
            "restore_worker": {"BACKUP_ENCRYPTION_KEY": self.encryption_key},
            "token_service": {
                "BACKUP_ENCRYPTION_KEY": self.encryption_key,
                "ENCRYPTION_KEY": self.tokens_key,
            },
            "audit_sink": {"SECURITY_AUDIT_LOG_PATH": str(self.audit_log)},
            "storage_uploader": {
                "STRONGROOM_DESTINATIONS": json.dumps(
                    [{"name": "mirror", "url": self.mirror.as_uri()}]
                )
            },
        }
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "DATABASE_URL": self._database(module),
            "AMQP_URL": self._broker(module.replace("_", "-")),
            "LOG_LEVEL": "DEBUG",
            "HEALTH_HOST": "127.0.0.1",
            "HEALTH_PORT": str(health_port),
            "BACKUP_LOCAL_DIR": str(self.repository),
            "BACKUP_CACHE_DIR": str(self.repository.with_name("cache")),
            "BACKUP_RESTORE_DIR": str(self.restores),
            "BACKUP_COMPONENTS_FILE": str(self.components),
            **own[module],
        }

    def _await_ready(self, module: str, port: int) -> None:
        address = f"http://127.0.0.1:{port}/readyz"

        def ready() -> bool:
            assert self.processes[module].process.poll() is None, self.words()
            try:
                return httpx.get(address, timeout=5, verify=False).is_success
            except httpx.TransportError:
                return False

        self.eventually(ready)


@contextmanager
def deployed(database: Url, broker: Url, components: str) -> Iterator[Deployment]:
    """Six running services on a folder of their own; all of it ends with the context."""
    with tempfile.TemporaryDirectory(prefix="strongroom-six-") as folder:
        deployment = Deployment(Path(folder), database, broker)
        deployment.components.write_text(components)
        try:
            deployment.start()
            yield deployment
        finally:
            deployment.api.close()
            for process in deployment.processes.values():
                process.end()
