"""Real servers for the integration tests: private, on this machine, gone when the session ends."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from yarl import URL

from integration import buses, rabbitmq_node
from integration.station import Station, open_station
from standalone.postgres import Cluster

DEPLOY = Path(__file__).parents[2] / "deploy" / "rabbitmq"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Cluster]:
    """A private PostgreSQL server with every service's role; a test asks for its own database."""
    folder = Path(tempfile.mkdtemp(prefix="strongroom-test-"))
    folder.chmod(0o711)
    cluster = Cluster(folder / "home", shelter=folder / "shelter", create_account=False)
    try:
        cluster.start(180)
        yield cluster
    finally:
        cluster.destroy()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def database_url(postgres_server: Cluster) -> Iterator[Callable[[str], str]]:
    """``database_url(role)`` is that role's URL of a database that this test module has alone."""
    name = f"test_{uuid4().hex[:12]}"
    postgres_server.create_database(name)
    yield lambda role: postgres_server.url(role, name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[rabbitmq_node.Broker]:
    """A broker: the one that AMQP_URL names, else a private one."""
    with rabbitmq_node.broker() as broker:
        yield broker


@pytest.fixture(scope="session")
def broker_login(
    rabbitmq: rabbitmq_node.Broker, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], str]:
    """The address of a service's own login, on a broker that has deploy/rabbitmq's definitions."""
    if not isinstance(rabbitmq, rabbitmq_node.Node):
        pytest.skip("the broker's logins are not the tests' own")
    definitions = json.loads((DEPLOY / "definitions.json").read_text())
    names = [user["name"] for user in definitions["users"]]
    filled = subprocess.run(
        [sys.executable, str(DEPLOY / "with_passwords.py")],
        input=json.dumps({name: f"password of {name}" for name in names}),
        capture_output=True,
        check=True,
        text=True,
    )
    path = tmp_path_factory.mktemp("definitions") / "definitions.json"
    path.write_text(filled.stdout)
    rabbitmq.control("import_definitions", str(path))
    return lambda name: str(URL(rabbitmq.url).with_user(name).with_password(f"password of {name}"))


def _bus(kind: str, request: pytest.FixtureRequest) -> buses.Bus:
    if kind == "postgres":
        url = request.getfixturevalue("database_url")("bus")
        return buses.postgres_bus(url, request.getfixturevalue("postgres_server"))
    if kind == "rabbitmq":
        return buses.amqp_bus(request.getfixturevalue("rabbitmq"))
    return buses.memory_bus()


@pytest.fixture(params=["memory", "postgres", "rabbitmq"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[buses.Bus]:
    """Each bus in turn, with transports and queues that end with the test."""
    found = _bus(request.param, request)
    yield found
    await found.close()


@pytest.fixture(params=["postgres", "rabbitmq"])
async def served_bus(request: pytest.FixtureRequest) -> AsyncIterator[buses.Bus]:
    """Each bus that has a server, in turn."""
    found = _bus(request.param, request)
    yield found
    await found.close()


@pytest.fixture
async def station(
    rabbitmq: rabbitmq_node.Broker, database_url: Callable[[str], str]
) -> AsyncIterator[Station]:
    """A station with a folder of its own; its worker processes end with the test."""
    async with open_station(rabbitmq.url, database_url) as found:
        yield found
