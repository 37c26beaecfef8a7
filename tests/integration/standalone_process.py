"""The one-process product as a process, started and stopped as an operator does."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from integration.ports import free_ports
from integration.rabbitmq_node import WITH_ITS_PARENT

COMMAND = Path(sys.executable).parent / "strongroom"
START_SECONDS = 120
STOP_SECONDS = 120


class Machine:
    """A place to install the product in: a data directory, a port, an environment."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o711)
        self.folder = folder
        self.data = folder / "data"
        self.port, self.other_port = free_ports(2)
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("BACKUP_", "STRONGROOM_"))},
            "STRONGROOM_POSTGRES_DIR": str(folder / "postgres"),
            "STRONGROOM_POSTGRES_USER": "nobody",
            "STRONGROOM_SERVER": self.url,
            "XDG_CONFIG_HOME": str(folder / "config"),
        }

    @property
    def url(self) -> str:
        """Where the API is, once the product is up."""
        return f"http://127.0.0.1:{self.port}"

    def run(self, *arguments: object, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """One command of the product, to its end."""
        return subprocess.run(
            [COMMAND, *map(str, arguments)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    @contextmanager
    def up(self) -> Iterator["Running"]:
        """The product for the length of the block, then stopped by SIGTERM."""
        output = self.folder / "output"
        with output.open("w") as file:
            process = subprocess.Popen(
                [*WITH_ITS_PARENT, COMMAND, "up", "--data", self.data, "--port", str(self.port)],
                env=self.environment,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        running = Running(process, output, self.url)
        try:
            running.wait_until_ready()
            yield running
        finally:
            running.stop()


class Running:
    """The product while it is up, and what it has printed."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path, url: str) -> None:
        self.process = process
        self._output = output
        self._url = url
        self.cpu_seconds_to_ready = 0.0

    @property
    def printed(self) -> str:
        """Everything on standard output and standard error until now."""
        return self._output.read_text()

    @property
    def password(self) -> str:
        """The password that was printed, or an empty string."""
        found = re.search(r"admin, password (\S+)", self.printed)
        return found.group(1) if found else ""

    def wait_until_ready(self) -> None:
        """Until /readyz says so."""
        begin = time.monotonic()
        while True:
            assert self.process.poll() is None, self.printed
            assert time.monotonic() < begin + START_SECONDS, self.printed
            try:
                if httpx.get(f"{self._url}/readyz", timeout=5, verify=False).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        self.cpu_seconds_to_ready = self._cpu_seconds()
        while "Stop it with" not in self.printed:
            time.sleep(0.05)

    def _cpu_seconds(self) -> float:
        """What the process has computed, which is the same however busy the machine is."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, stat[11:15])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)


@contextmanager
def machine() -> Iterator[Machine]:
    """A machine of one's own, gone afterwards with all that ran on it."""
    with tempfile.TemporaryDirectory(prefix="strongroom-test-") as folder:
        yield Machine(Path(folder))
