"""The main job as its users meet it: six processes, the HTTP API, a real folder and database."""

import hashlib
import json
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from yarl import URL

from integration.deployment import Deployment, deployed
from integration.postgres_database import Server, Session
from integration.rabbitmq_node import Broker, Node
from integration.secret_search import (
    Told,
    apart,
    collect,
    misaddressed,
    overheard,
    watched,
    writings,
)
from nasty_tree import make_nasty_tree
from standalone.postgres import BACKUP_ROLE, Cluster
from trees import compare

pytestmark = pytest.mark.slow

Url = Callable[[str], str]
SHOP = "e2e_shop"
NOTE = "the text that somebody gave to be encrypted"
TILL_SQL = """
CREATE SCHEMA till;
CREATE TYPE till.state AS ENUM ('open', 'paid');
CREATE TABLE till.sale (id bigserial PRIMARY KEY, state till.state NOT NULL, total numeric(9, 2),
                        note text DEFAULT 'żółć 🧾');
INSERT INTO till.sale (state, total)
  SELECT (ARRAY['open', 'paid'])[i % 2 + 1]::till.state, i * 1.5 FROM generate_series(1, 5000) AS i;
CREATE VIEW till.paid AS SELECT * FROM till.sale WHERE state = 'paid';
CREATE INDEX ON till.sale (total);
"""
UNLOCK = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
DIGEST = "SELECT md5(string_agg(s::text, '|' ORDER BY id)) FROM till.sale AS s"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop") / "source"
    make_nasty_tree(folder)
    return folder


@pytest.fixture(scope="module")
def told() -> Told:
    """What the six tell while these tests run."""
    return Told()


@pytest.fixture(scope="module")
def six(
    postgres_server: Cluster,
    database_url: Url,
    rabbitmq: Broker,
    broker_login: Url,
    source: Path,
    told: Told,
) -> Iterator[Deployment]:
    postgres_server.create_database(SHOP)
    postgres_server.sql(TILL_SQL, database=SHOP)
    components = (
        f'[components.files]\nkind = "files"\npaths = ["{source}"]\n'
        f'[components.database]\nkind = "postgres"\n'
        f'dsn = "{postgres_server.url(BACKUP_ROLE, SHOP)}"\n'
    )
    assert isinstance(rabbitmq, Node)  # broker_login has skipped all others
    with (
        overheard(rabbitmq),
        deployed(database_url, broker_login, components) as deployment,
        watched(deployment, told),
    ):
        yield deployment
    for name in (SHOP, f"{SHOP}_restored"):
        postgres_server.drop_database(name)


@pytest.fixture(scope="module")
def backup(six: Deployment, told: Told, postgres_server: Cluster) -> str:
    """The id of a first backup of everything; its pg_dump waits until it was seen at work."""
    lock = "BEGIN; LOCK TABLE till.sale; SELECT pg_sleep(600)"
    with ThreadPoolExecutor(1) as thread, Session(Server(postgres_server), SHOP, lock):
        work = thread.submit(six.done, "POST", "/api/backups", backup_name="first", components=[])
        try:
            six.eventually(lambda: "pg_dump" in "".join(told.commands))
        finally:
            postgres_server.sql(UNLOCK, database="postgres")
        return str(work.result(90)["id"])


def test_files_come_back_as_they_were(six: Deployment, backup: str, source: Path) -> None:
    """Lost: the product."""
    six.done("POST", f"/api/backups/{backup}/restore", components=["files"], target="drill")
    restored = six.restores / "drill" / "files" / source.relative_to("/")
    assert compare(source, restored) == []


def test_a_database_comes_back_as_it_was(
    six: Deployment, backup: str, postgres_server: Cluster
) -> None:
    """Lost: the product, for whoever keeps the business in PostgreSQL."""
    six.done(
        "POST",
        f"/api/backups/{backup}/restore",
        components=["database"],
        databases={"database": f"{SHOP}_restored"},
    )
    answers = {postgres_server.sql(DIGEST, database=name) for name in (SHOP, f"{SHOP}_restored")}
    assert len(answers) == 1
    assert (
        postgres_server.sql("SELECT count(*) FROM till.paid", database=SHOP).split()[-1] == "2500"
    )


def test_a_backup_is_verified_to_its_last_byte(six: Deployment, backup: str) -> None:
    """Lost: knowing before the fire that it can be restored."""
    outcome = six.done("POST", f"/api/backups/{backup}/verify", read_data=True)
    assert outcome["result"]["ok"]
    assert outcome["result"]["read_bytes"] > 0


def test_the_second_destination_holds_the_same_objects(six: Deployment, backup: str) -> None:
    """Lost: the copy for the day when the first disk dies."""
    six.eventually(lambda: _copies(six, backup) == {"mirror": "completed"})
    assert _objects(six.mirror) == _objects(six.repository)


def test_nothing_on_disk_is_open_to_others(six: Deployment, backup: str) -> None:
    """Lost: every archive, key and log file 0600 and every folder 0700."""
    del backup
    for root in (six.repository, six.mirror, six.audit_log.parent, six.restores):
        assert stat.S_IMODE(root.stat().st_mode) == 0o700, root
    for root in (six.repository, six.mirror, six.audit_log.parent):
        for path in root.rglob("*"):
            wanted = 0o700 if path.is_dir() else 0o600
            assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_what_was_done_stands_in_the_audit_log(six: Deployment, backup: str) -> None:
    """Lost: who did what, in the table, in the file and over the API."""

    def recorded() -> set[str]:
        lines = [json.loads(line) for line in six.audit_log.read_text().splitlines()]
        return {line["action"] for line in lines if line["entity_id"] == backup}

    six.eventually(lambda: recorded() >= {"create"})
    page = six.asked("GET", "/api/v2/security/audit-logs?limit=1000")
    assert backup in json.dumps(page)


def test_who_is_not_logged_in_sees_nothing(six: Deployment, backup: str) -> None:
    """Lost: every backup, to anybody who can reach the port."""
    anonymous = httpx.Client(base_url=six.api.base_url, timeout=60)
    for method, path in (
        ("GET", "/api/backups"),
        ("POST", "/api/backups"),
        ("GET", f"/api/backups/{backup}"),
        ("POST", f"/api/backups/{backup}/restore"),
        ("DELETE", f"/api/backups/{backup}"),
    ):
        assert anonymous.request(method, path).status_code == 401
    anonymous.close()


def test_a_deleted_backup_is_gone_and_the_next_one_is_whole(six: Deployment, source: Path) -> None:
    """Lost: the rest of the repository, with the first deletion."""
    doomed = six.done("POST", "/api/backups", backup_name="doomed")["id"]
    six.done("DELETE", f"/api/backups/{doomed}")
    listed = six.asked("GET", "/api/backups")["backups"]
    assert doomed not in [each["id"] for each in listed]
    kept = six.done("POST", "/api/backups", backup_name="kept", components=["files"])["id"]
    assert six.done("POST", f"/api/backups/{kept}/verify")["result"]["ok"]
    six.done("POST", f"/api/backups/{kept}/restore", target="after-delete")
    restored = six.restores / "after-delete" / "files" / source.relative_to("/")
    assert compare(source, restored) == []


def test_no_secret_is_told_anywhere(
    six: Deployment,
    backup: str,
    told: Told,
    rabbitmq: Broker,
    postgres_server: Cluster,
    database_url: Url,
) -> None:
    """Lost: the secrets, to whoever reads a log, the database, the bus or the process list."""
    assert isinstance(rabbitmq, Node)
    secrets = six.secrets() | {"a mistyped password": "Almost-Correct-Horse-8", "a note": NOTE}
    wrong = {"username": "admin", "password": secrets["a mistyped password"]}
    assert six.api.post("/api/auth/login", json=wrong).status_code == 401
    six.api.post("/api/v2/security/encrypt", json={"data": NOTE})
    apart(misaddressed(rabbitmq.url, "backup-worker.control"))
    six.eventually(lambda: "login" in six.audit_log.read_text())
    database = str(URL(database_url("gateway")).path.lstrip("/"))
    collect(six, told, rabbitmq, postgres_server, database)
    for place in ("the database", "the bus", "the dead letters", "the log of gateway"):
        assert len(told.places[place]) > 100, place
    assert "pg_dump" in "".join(told.commands)
    assert told.places_of(secrets) == []


def test_the_search_finds_secrets_in_any_writing() -> None:
    """Lost: the test above, which would always pass."""
    secret = 'a "secret" with ż'
    for writing, form in writings(secret).items():
        told = Told()
        told.add("somewhere", f"... {form} ...")
        assert f"it in somewhere, as {writing}" in told.places_of({"it": secret})


def _copies(six: Deployment, backup: str) -> dict[str, str]:
    answer = six.asked("GET", f"/api/backups/{backup}")
    return {copy["destination"]: copy["state"] for copy in answer["copies"]}


def _objects(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file() and path.relative_to(root).parts[0] != "tmp"
    }
