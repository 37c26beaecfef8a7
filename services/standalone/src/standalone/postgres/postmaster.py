"""One PostgreSQL server process: initialise its data, start it, see whether it lives, stop it."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from common.errors import Conflict, NoSpace, Unavailable
from standalone.postgres.account import as_account
from standalone.postgres.binaries import Binaries
from standalone.postgres.place import Place

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
STATUS_LINE = 7  # of postmaster.pid; "ready" when connections are taken
FRESH = "data.new"


def initialise(binaries: Binaries, place: Place, admin: str, password: str) -> None:
    """Make the data directory; a run that was cut off leaves none."""
    fresh = place.server / FRESH
    shutil.rmtree(fresh, ignore_errors=True)
    pwfile = place.server / "initial-password"
    pwfile.unlink(missing_ok=True)
    with os.fdopen(os.open(pwfile, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password + "\n")
    if place.account is not None:
        place.account.own(pwfile)
    command = [
        binaries.tool("initdb"), f"--pgdata={fresh}", f"--username={admin}",
        f"--pwfile={pwfile}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
        "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums",
    ]  # fmt: skip
    try:
        outcome = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=120, cwd="/",
            env=ENVIRONMENT, umask=0o077, **as_account(place.account),
        )  # fmt: skip
    finally:
        pwfile.unlink(missing_ok=True)
    if outcome.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise failure("The embedded database could not be set up", outcome.stderr)
    fresh.rename(place.data)


def failure(what: str, output: str) -> NoSpace | Unavailable:
    """What PostgreSQL printed, as one sentence."""
    telling = [line for line in output.splitlines() if "FATAL" in line or "rror:" in line]
    reason = (telling or output.splitlines() or ["no reason was given"])[-1].strip()
    if "No space left" in output:
        return NoSpace(f"{what}: the disk is full.", remedy="Free some space and start again.")
    return Unavailable(f"{what}: {reason}", remedy="The log beside it may say more.")


def start(
    binaries: Binaries, place: Place, log: Path, options: dict[str, str], limit: float
) -> subprocess.Popen[bytes]:
    """Start the server and wait until it takes connections.

    The server ends with the thread that calls this (a fast shutdown, by the parent-death signal)
    where ``setpriv`` exists: call it from one that lives as long as the server should.
    """
    clear_stale(place)
    command = [binaries.tool("postgres"), "-D", str(place.data)]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    if setpriv := shutil.which("setpriv", path="/usr/bin:/bin"):
        command = [setpriv, "--pdeathsig=INT", "--no-new-privs", "--", *command]
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        seen = os.fstat(descriptor).st_size
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=descriptor, stderr=descriptor, cwd="/",
            env=ENVIRONMENT, umask=0o077, start_new_session=True, **as_account(place.account),
        )  # fmt: skip
    finally:
        os.close(descriptor)
    _wait_until_ready(process, place, log, seen, limit)
    return process


def _wait_until_ready(
    process: subprocess.Popen[bytes], place: Place, log: Path, seen: int, limit: float
) -> None:
    deadline = time.monotonic() + limit
    while not _ready(place.data / "postmaster.pid", process.pid):
        if process.poll() is not None:
            output = log.read_bytes()[seen:].decode(errors="replace")
            raise failure("The embedded database did not start", output)
        if time.monotonic() > deadline:
            stop(process, limit=5)
            raise Unavailable(
                f"The embedded database was not ready after {limit:.0f} seconds.",
                remedy=f"Its log is {log}.",
            )
        time.sleep(0.02)


def _ready(pidfile: Path, pid: int) -> bool:
    try:
        lines = pidfile.read_text().splitlines()
    except OSError:
        return False
    return (
        len(lines) > STATUS_LINE and lines[0] == str(pid) and lines[STATUS_LINE].strip() == "ready"
    )


def stop(process: subprocess.Popen[bytes], limit: float) -> None:
    """Fast shutdown within ``limit`` seconds, else an immediate one, else the hard way."""
    for number, seconds in ((signal.SIGINT, limit), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        if process.poll() is not None:
            return
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)


def clear_stale(place: Place) -> None:
    """Deal with what a server that was killed left behind.

    PostgreSQL itself forgives the file of a dead process, but not one whose number now belongs to
    another process of the same account (in a container that is likely). A server that outlived its
    parent is stopped: whoever calls this holds the lock of the cluster.
    """
    pidfile = place.data / "postmaster.pid"
    try:
        pid = int(pidfile.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return
    if not _serves(pid, place.data):
        pidfile.unlink(missing_ok=True)
        return
    for number in (signal.SIGINT, signal.SIGQUIT):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if _gone(pid, place.data, 15.0):
            return
    raise Conflict(
        f"A database server (process {pid}) still uses {place.data} and does not stop.",
        remedy=f"Stop process {pid} and start again.",
    )


def _serves(pid: int, data: Path) -> bool:
    """Whether ``pid`` is a server on ``data``: its working directory is the data directory."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == data
    except OSError:
        return False


def _gone(pid: int, data: Path, limit: float) -> bool:
    deadline = time.monotonic() + limit
    while _serves(pid, data):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
