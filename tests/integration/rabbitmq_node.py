"""A RabbitMQ broker of the tests' own, and where it comes from.

``AMQP_URL`` in the environment names a broker to use; else the ``rabbitmq-server`` package starts a
private node here; else a container does. A private node has its own ports, node name, port mapper,
cookie and folder, so that it neither needs nor disturbs one that runs on this machine.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, Self

from certificates import Authority
from integration.ports import free_ports

PACKAGE = Path("/usr/lib/rabbitmq/lib")
# Ended by the kernel with the process that starts it, however that comes to its end.
WITH_ITS_PARENT = ("setpriv", "--pdeathsig", "KILL")
START_LIMIT = 180.0
STOP_LIMIT = 30.0

CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
default_user = strongroom
default_pass = {password}
loopback_users = none
consumer_timeout = {consumer_timeout}
log.file.level = info
log.console = false
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
raft.wal_max_size_bytes = 32000000
cluster_formation.discovery_retry_limit = 1
listeners.ssl.1 = 127.0.0.1:{tls_port}
ssl_options.cacertfile = {authority}
ssl_options.certfile = {certificate}
ssl_options.keyfile = {key}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
ssl_options.versions.1 = tlsv1.3
ssl_options.versions.2 = tlsv1.2
"""
# Acknowledgement limits are looked at once in a tick, a minute by default.
ADVANCED = "[{rabbit, [{channel_tick_interval, 1000}]}].\n"
LOCAL_AND_FRUGAL = (
    "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
)


class Broker(Protocol):
    """A broker for tests. One that was found running is not ours to stop."""

    url: str
    ours: bool

    def start(self, *, consumer_timeout: float | None = None) -> None:
        """Start it again, with another limit for acknowledgements (seconds) if one is given."""

    def stop(self, *, kill: bool = False) -> None:
        """Stop it in order, or as a power cut would."""


class Found:
    """A broker that somebody else started."""

    ours = False

    def __init__(self, url: str) -> None:
        self.url = url

    def start(self, *, consumer_timeout: float | None = None) -> None:
        """Not ours to start."""
        raise NotImplementedError

    def stop(self, *, kill: bool = False) -> None:
        """Not ours to stop."""
        raise NotImplementedError


class Node:
    """A private node of the installed package, in a folder of its own that ends with it."""

    ours = True

    def __init__(self, program: Path) -> None:
        self._program = program
        self._folder = Path(tempfile.mkdtemp(prefix="strongroom-rabbitmq-"))
        self._port, self._mapper_port, self.tls_port, distribution = free_ports(4)
        self.authority = Authority(self._folder / "certificates")
        """Trusted by the TLS listener, which asks its clients for certificates, and its own."""
        self._certificate = self.authority.issue("localhost")
        self._password = secrets.token_urlsafe(18)
        self._server: subprocess.Popen[bytes] | None = None
        self._mapper: subprocess.Popen[bytes] | None = None
        self._consumer_timeout = 1800.0
        self.url = f"amqp://strongroom:{self._password}@127.0.0.1:{self._port}/"
        self.environment = self._environment(distribution)

    def _environment(self, distribution: int) -> dict[str, str]:
        folder = self._folder
        return {
            "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"strongroom{self._port}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_ALLOW_INPUT": "true",  # run the server itself, without a shell around it
            "RABBITMQ_SERVER_START_ARGS": "-noinput",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": LOCAL_AND_FRUGAL,
        }

    def start(self, *, consumer_timeout: float | None = None) -> None:
        """Start it again, with another limit for acknowledgements (seconds) if one is given."""
        self._consumer_timeout = consumer_timeout or self._consumer_timeout
        self._write_configuration()
        if self._mapper is None:
            self._mapper = self._spawn("epmd", "-port", str(self._mapper_port))
        self._server = self._spawn(str(self._program))
        deadline = time.monotonic() + START_LIMIT
        while not self._answers():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"RabbitMQ did not start: {self._last_words()}")
            time.sleep(0.1)

    def stop(self, *, kill: bool = False) -> None:
        """Stop it in order, or as a power cut would."""
        _end(self._server, signal.SIGKILL if kill else signal.SIGTERM)
        self._server = None

    def control(self, *arguments: str) -> str:
        """What ``rabbitmqctl`` says to ``arguments``."""
        command = [str(self._program.with_name("rabbitmqctl")), "--quiet", *arguments]
        return subprocess.run(
            command, env=self.environment, check=True, capture_output=True, text=True, timeout=150
        ).stdout

    def logs(self) -> list[Path]:
        """What the node has written about itself."""
        return [self._folder / "output", *sorted((self._folder / "log").glob("*.log"))]

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        """Leave no process and no file."""
        self.stop(kill=True)
        _end(self._mapper, signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write_configuration(self) -> None:
        settings = CONFIGURATION.format(
            port=self._port,
            tls_port=self.tls_port,
            authority=self.authority.certificate,
            certificate=self._certificate.certificate,
            key=self._certificate.key,
            password=self._password,
            consumer_timeout=int(self._consumer_timeout * 1000),
        )
        for name, text, mode in (
            ("rabbitmq.conf", settings, 0o600),
            ("advanced.config", ADVANCED, 0o600),
            ("enabled_plugins", "[].\n", 0o600),
            (".erlang.cookie", secrets.token_hex(20), 0o400),
        ):
            path = self._folder / name
            if name == ".erlang.cookie" and path.exists():
                continue
            path.touch(0o600)
            path.write_text(text)
            path.chmod(mode)

    def _spawn(self, *command: str) -> subprocess.Popen[bytes]:
        with (self._folder / "output").open("ab") as output:
            return subprocess.Popen(
                (*WITH_ITS_PARENT, *command),
                env=self.environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        """Whether it starts an AMQP conversation."""
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=2) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return connection.recv(1) == b"\x01"
        except OSError:
            return False

    def _last_words(self) -> str:
        return (self._folder / "output").read_text(errors="replace")[-2000:]


def _end(process: subprocess.Popen[bytes] | None, signal_number: int) -> None:
    if process is None:
        return
    if process.poll() is None:
        os.kill(process.pid, signal_number)
    try:
        process.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_LIMIT)


def installed() -> Path | None:
    """The package's server program. The one in PATH changes the account, which needs root."""
    return next(iter(sorted(PACKAGE.glob("rabbitmq_server-*/sbin/rabbitmq-server"))), None)


@contextmanager
def broker() -> Iterator[Broker]:
    """A running broker until the end of the ``with``."""
    if url := os.environ.get("AMQP_URL"):
        yield Found(url)
    elif program := installed():
        with Node(program) as node:
            yield node
    else:
        yield from _container()


def _container() -> Iterator[Broker]:
    # Imported here because it is slow, and rarely needed.
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy  # noqa: PLC0415

    password = secrets.token_urlsafe(18)
    container = (
        DockerContainer("rabbitmq:4")
        .with_env("RABBITMQ_DEFAULT_USER", "strongroom")
        .with_env("RABBITMQ_DEFAULT_PASS", password)
        .with_exposed_ports(5672)
        .waiting_for(LogMessageWaitStrategy("Server startup complete"))
    )
    with container:
        host, port = container.get_container_host_ip(), container.get_exposed_port(5672)
        yield Found(f"amqp://strongroom:{password}@{host}:{port}/")
