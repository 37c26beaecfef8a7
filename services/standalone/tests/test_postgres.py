"""The embedded server's life: first start, second start, crashes, refusals."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from common.errors import Conflict, Invalid, NoSpace, Unavailable
from standalone.postgres import DATABASE, Cluster, postmaster
from standalone.postgres import binaries as binaries_module
from standalone.postgres.account import choose
from standalone.postgres.binaries import Binaries, for_account, wheel
from standalone.postgres.postmaster import failure

MakeCluster = Callable[[], Cluster]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="what is tested happens only as root")


def test_data_outlives_a_stop_and_the_second_start_makes_nothing_anew(
    make_cluster: MakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: everything that the services know, at each restart of the product; or its time."""
    with make_cluster() as first:
        first.sql("CREATE TABLE kept AS SELECT 7 AS id", database=DATABASE)
    monkeypatch.delattr(postmaster, "initialise")
    second = make_cluster()
    second.start()
    assert "not properly shut down" not in second.log.read_text()
    assert second.sql("SELECT id FROM kept", database=DATABASE) == "7\n"


def test_only_a_socket_only_passwords_and_nothing_open_to_others(
    make_cluster: MakeCluster,
) -> None:
    """Lost: the privacy of the database from other users of the machine and the network."""
    with make_cluster() as cluster:
        settings = cluster.sql(
            "SELECT string_agg(setting, ' ' ORDER BY name) FROM pg_settings"
            " WHERE name IN ('listen_addresses', 'fsync', 'password_encryption')",
            database=DATABASE,
        )
        methods = cluster.sql(
            "SELECT DISTINCT auth_method FROM pg_hba_file_rules", database=DATABASE
        )
        folders = [cluster.home, cluster.place.server, cluster.place.socket, cluster.place.data]
        secrets = list((cluster.home / "passwords").iterdir())
    assert settings == "on  scram-sha-256\n"
    assert methods == "scram-sha-256\n"
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in [*secrets, cluster.log]} == {0o600}


async def test_a_port_in_the_environment_is_for_other_servers(
    make_cluster: MakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the product's start from a shell that is set up for another server."""
    monkeypatch.setenv("PGPORT", "5999")
    with make_cluster() as cluster:
        connection = await asyncpg.connect(cluster.url("gateway"))
        await connection.close()


def test_no_password_reaches_the_log(make_cluster: MakeCluster) -> None:
    """Lost: the secrecy of the passwords, should provisioning fail."""
    with make_cluster() as cluster:
        cluster.sql(
            "ALTER SYSTEM SET log_statement = 'all'; SELECT pg_reload_conf()", database=DATABASE
        )
        cluster.create_database("another")
        log = cluster.log.read_text()
    assert cluster.password("gateway") not in log


@AS_ROOT
def test_the_server_does_not_run_as_root(make_cluster: MakeCluster) -> None:
    """Lost: the wall between a broken-into database and the machine."""
    with make_cluster() as cluster:
        status = Path(f"/proc/{cluster.process.pid}/status").read_text().splitlines()
    fields = dict(line.split(":\t", 1) for line in status if ":\t" in line)
    assert set(fields["Uid"].split()) != {"0"}
    assert fields["Groups"].strip() == ""
    assert fields["NoNewPrivs"] == "1"


def test_a_killed_server_recovers(make_cluster: MakeCluster) -> None:
    """Lost: every start after a power cut."""
    with make_cluster() as cluster:
        cluster.sql("CREATE TABLE kept AS SELECT 7 AS id", database=DATABASE)
        os.killpg(cluster.process.pid, signal.SIGKILL)
        cluster.process.wait()
        cluster.stop()
        cluster.start()
        assert cluster.sql("SELECT id FROM kept", database=DATABASE) == "7\n"


def test_a_recycled_process_number_is_no_obstacle(make_cluster: MakeCluster) -> None:
    """Lost: the start in a container, where a stale number often belongs to another process."""
    with make_cluster() as cluster:
        pidfile = cluster.place.data / "postmaster.pid"
        content = pidfile.read_text().splitlines()
    pidfile.write_text("\n".join([str(os.getpid()), *content[1:]]))
    with make_cluster() as again:
        assert again.sql("SELECT 1", database=DATABASE) == "1\n"


def test_a_second_process_on_the_same_home_is_refused(make_cluster: MakeCluster) -> None:
    """Lost: the data, if two servers wrote it."""
    with make_cluster(), pytest.raises(Conflict, match="Another process already runs"):
        make_cluster().start()


@AS_ROOT
def test_a_copied_home_does_not_take_the_database_of_the_first(
    open_folder: Path, make_cluster: MakeCluster
) -> None:
    """Lost: the database under a running product, and then lists that speak of two repositories."""
    other = open_folder / "other"
    copy = Cluster(other, shelter=open_folder / "shelter", create_account=False)
    with make_cluster() as first:
        shutil.copytree(first.home, other, symlinks=True)
        with pytest.raises(Conflict, match=f"is a copy of {first.home}"):
            copy.start()
        assert first.process.poll() is None
    with pytest.raises(Conflict, match=f"is a copy of {first.home}"):
        copy.start()


@AS_ROOT
def test_a_home_that_was_moved_keeps_its_database(
    open_folder: Path, make_cluster: MakeCluster
) -> None:
    """Lost: every user and list, for a data directory on a bigger disk."""
    other = open_folder / "other"
    with make_cluster() as first:
        first.sql("CREATE TABLE kept AS SELECT 7 AS id", database=DATABASE)
    first.home.rename(other)
    with Cluster(other, shelter=open_folder / "shelter", create_account=False) as moved:
        assert moved.sql("SELECT id FROM kept", database=DATABASE) == "7\n"
    shutil.copytree(other, first.home, symlinks=True)
    with pytest.raises(Conflict, match=f"is a copy of {other}"):
        make_cluster().start()


def test_the_server_dies_with_its_parent(open_folder: Path, make_cluster: MakeCluster) -> None:
    """Lost: a clean machine after SIGKILL; the next start would meet an orphan."""
    program = textwrap.dedent("""
        import os, sys
        from pathlib import Path
        from standalone.postgres import Cluster
        folder = Path(sys.argv[1])
        cluster = Cluster(folder / "home", shelter=folder / "shelter", create_account=False)
        cluster.start()
        print(cluster.process.pid, flush=True)
        os.kill(os.getpid(), 9)
    """)
    outcome = subprocess.run(
        [sys.executable, "-c", program, str(open_folder)],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    pid = int(outcome.stdout)
    with make_cluster() as again:
        assert again.process.pid != pid
        assert _ends(pid)


def _ends(pid: int) -> bool:
    """Whether the process is gone, at the latest in a minute."""
    deadline = time.monotonic() + 60
    while (stat := Path(f"/proc/{pid}/stat")).exists() and ") Z " not in stat.read_text():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@AS_ROOT
def test_closed_binaries_are_copied_to_where_the_account_can_run_them(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the product in a checkout below /root."""
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    (closed / "pginstall").symlink_to(wheel().root)
    monkeypatch.setattr(binaries_module, "wheel", lambda: Binaries(closed / "pginstall"))
    account = choose(create=False)
    shelter = open_folder / "shelter"
    shelter.mkdir(mode=0o711)
    copy = for_account(account, shelter)
    assert copy.root.is_relative_to(shelter)
    assert copy.root.stat().st_mode & 0o777 == 0o755
    assert for_account(account, shelter) == copy


@AS_ROOT
def test_a_closed_shelter_is_named_with_the_remedy(open_folder: Path) -> None:
    """Lost: the hint without which nobody finds the one folder that is closed."""
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    cluster = Cluster(open_folder / "home", shelter=closed / "shelter", create_account=False)
    with pytest.raises(Unavailable, match=rf"chmod o\+x {closed}"):
        cluster.start()
    assert closed.stat().st_mode & 0o777 == 0o700


@AS_ROOT
def test_a_shelter_that_is_none_is_named(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: which setting it is, or the database, in a folder that changes its place."""
    (open_folder / "file").touch()
    monkeypatch.chdir(open_folder)
    for shelter in Path("relative"), open_folder / "file", Path("/proc/none"):
        cluster = Cluster(open_folder / "home", shelter=shelter, create_account=False)
        with pytest.raises(Invalid, match="STRONGROOM_POSTGRES_DIR"):
            cluster.start()
    assert not (open_folder / "relative").exists()


def test_a_long_path_gets_its_socket_elsewhere(open_folder: Path) -> None:
    """Lost: the start in any folder whose path is longer than a socket address may be."""
    deep = open_folder / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    deep.parent.chmod(0o711)
    deep.chmod(0o711)
    cluster = Cluster(deep / "home", shelter=deep / "shelter", create_account=False)
    try:
        cluster.start()
        assert len(str(cluster.place.socket)) < 80
        assert cluster.sql("SELECT 1", database=DATABASE) == "1\n"
    finally:
        cluster.destroy()


def test_a_server_that_cannot_start_says_why(make_cluster: MakeCluster) -> None:
    """Lost: the reason, which otherwise stands only in a log."""
    with make_cluster() as cluster:
        configuration = cluster.place.data / "postgresql.auto.conf"
    configuration.write_text("work_mem = 'nonsense'\n")
    with pytest.raises(Unavailable, match=r"did not start: .*(work_mem|auto\.conf)"):
        cluster.start()


def test_a_full_disk_is_named_as_such() -> None:
    """Lost: the difference between 'free some space' and a riddle."""
    error = failure("It failed", 'FATAL: could not write "x": No space left on device')
    assert isinstance(error, NoSpace)
