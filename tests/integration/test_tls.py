"""TLS to PostgreSQL and RabbitMQ, and of the gateway's server: verified, or not at all."""

import asyncio
import shutil
import ssl
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from pydantic import SecretStr
from yarl import URL

from certificates import Authority
from common import db
from common.bus.amqp import AmqpTransport, client_context
from common.bus.transport import Policy
from common.config import BusSettings
from common.db.pool import close
from common.errors import Invalid, Unavailable
from common.health import Certificate, Health, certificate, create_app, serving
from common.service.transport import choose
from integration import rabbitmq_node
from integration.ports import free_port
from standalone.postgres import ADMIN, Cluster

IMPATIENT = Policy(connect_timeout=10.0)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody here trusts."""
    return Authority(tmp_path_factory.mktemp("strange-certificates"), "stranger")


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[Cluster]:
    """PostgreSQL on TCP with the certificate of ``localhost``."""
    folder = Path(tempfile.mkdtemp(prefix="strongroom-test-"))
    folder.chmod(0o711)
    cluster = Cluster(
        folder / "home", shelter=folder / "shelter", port=free_port(), create_account=False
    )
    try:
        cluster.start(180)
        issued = authority.issue("localhost", file="postgres")
        for path, name in ((issued.certificate, "server.crt"), (issued.key, "server.key")):
            placed = cluster.place.data / name
            placed.touch(0o600)
            placed.write_bytes(path.read_bytes())
            if cluster.place.account is not None:
                cluster.place.account.own(placed)
        cluster.sql("ALTER SYSTEM SET ssl = on", database="postgres")
        cluster.sql("SELECT pg_reload_conf()", database="postgres")
        while cluster.sql("SHOW ssl", database="postgres") != "on\n":
            time.sleep(0.05)
        yield cluster
    finally:
        cluster.destroy()
        shutil.rmtree(folder, ignore_errors=True)


def address(server: Cluster, host: str = "localhost", **options: object) -> SecretStr:
    url = server.url(ADMIN, "postgres").replace("127.0.0.1", host)
    return SecretStr(f"{url}?{urlencode(options)}")


async def test_postgresql_is_verified_by_its_authority_and_name(
    server: Cluster, authority: Authority
) -> None:
    """Lost: every password and token, to whoever stands between."""
    url = address(server, sslmode="verify-full", sslrootcert=authority.certificate)
    pool = await db.connect(url, name="test", size=1)
    assert await pool.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    version = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    assert await pool.fetchval(version) in {"TLSv1.2", "TLSv1.3"}
    await close(pool)


async def test_a_strange_postgresql_is_refused_at_once(
    server: Cluster, stranger: Authority
) -> None:
    """Lost: half a minute of waiting for what will not change, or the secret itself."""
    async with asyncio.timeout(60):
        url = address(server, sslmode="verify-full", sslrootcert=stranger.certificate)
        with pytest.raises(Invalid, match="is not trusted") as caught:
            await db.connect(url, name="test", size=1, wait=600)
        assert server.password(ADMIN) not in str(caught.value)


async def test_a_certificate_file_that_is_missing_is_named(server: Cluster) -> None:
    """Lost: which of the address's parts is wrong."""
    url = address(server, sslmode="verify-full", sslrootcert="/nonexistent/ca.pem")
    with pytest.raises(Invalid, match=r"/nonexistent/ca\.pem") as caught:
        await db.connect(url, name="test", size=1)
    assert server.password(ADMIN) not in str(caught.value)


@pytest.fixture
def node(rabbitmq: rabbitmq_node.Broker) -> rabbitmq_node.Node:
    if not isinstance(rabbitmq, rabbitmq_node.Node):
        pytest.skip("the broker has no TLS listener of the tests' own")
    return rabbitmq


def amqps(node: rabbitmq_node.Node, host: str = "localhost") -> SecretStr:
    return SecretStr(
        str(URL(node.url).with_scheme("amqps").with_host(host).with_port(node.tls_port))
    )


async def test_rabbitmq_and_its_client_know_each_other(node: rabbitmq_node.Node) -> None:
    """Lost: the bus, to whoever stands between or connects without a certificate."""
    own = node.authority.issue("gateway")
    settings = BusSettings(
        amqp_url=amqps(node),
        amqp_ca_file=node.authority.certificate,
        amqp_certificate_file=own.certificate,
        amqp_key_file=own.key,
    )
    transport = choose(settings, "test")
    await transport.start()
    assert transport.healthy() is None
    await transport.close()


async def test_without_a_certificate_rabbitmq_refuses(node: rabbitmq_node.Node) -> None:
    """Lost: the second factor of the bus."""
    context = client_context(amqps(node), node.authority.certificate, None, None)
    transport = AmqpTransport(amqps(node), name="test", policy=IMPATIENT, tls=context)
    with pytest.raises(Unavailable, match="RabbitMQ at localhost"):
        await transport.start()


async def test_a_strange_rabbitmq_is_refused(node: rabbitmq_node.Node, stranger: Authority) -> None:
    """Lost: the login, to whoever pretends to be the broker."""
    context = client_context(amqps(node), stranger.certificate, None, None)
    transport = AmqpTransport(amqps(node), name="test", policy=IMPATIENT, tls=context)
    with pytest.raises(Unavailable, match=r"(?i)certificate.verify.failed"):
        await transport.start()


def test_files_that_would_not_be_used_are_refused(tmp_path: Path) -> None:
    """Lost: TLS, by one forgotten letter in the address."""
    with pytest.raises(Invalid, match="amqps://"):
        client_context(SecretStr("amqp://user@host"), tmp_path / "ca.pem", None, None)
    with pytest.raises(Invalid, match="AMQP_CA_FILE"):
        client_context(SecretStr("amqps://user@host"), tmp_path / "ca.pem", None, None)


async def test_the_server_speaks_https_and_takes_a_new_certificate(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: sessions and passwords on the wire; or the API, in the night of the renewal."""
    monkeypatch.setattr(certificate, "LOOK_SECONDS", 0.05)
    issued = authority.issue("localhost")
    found = Certificate.of(issued.certificate, issued.key, names="A and B")
    trust = ssl.create_default_context(cafile=authority.certificate)
    async with serving(create_app(Health()), "127.0.0.1", 0, certificate=found) as port:
        async with httpx.AsyncClient(verify=trust, timeout=60) as client:
            assert (await client.get(f"https://localhost:{port}/healthz")).is_success
        first = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))
        authority.issue("localhost")
        async with asyncio.timeout(60):
            while first == await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port)):
                await asyncio.sleep(0.05)
        async with httpx.AsyncClient(timeout=60) as client:
            with pytest.raises(httpx.HTTPError):
                await client.get(f"http://localhost:{port}/healthz")


async def test_old_protocols_are_refused(authority: Authority) -> None:
    """Lost: the protection, to a client that asks for TLS 1.1."""
    issued = authority.issue("localhost", file="old")
    found = Certificate(issued.certificate, issued.key)
    assert found.context().minimum_version == ssl.TLSVersion.TLSv1_2


def test_half_a_certificate_is_refused(authority: Authority, tmp_path: Path) -> None:
    """Lost: a sentence instead of plain HTTP that nobody noticed."""
    issued = authority.issue("localhost", file="half")
    assert Certificate.of(None, None, names="A and B") is None
    with pytest.raises(Invalid, match="Of A and B one alone is set"):
        Certificate.of(issued.certificate, None, names="A and B")
    with pytest.raises(Invalid, match="cannot be used with the key"):
        Certificate.of(issued.certificate, authority.issue("x").key, names="A and B")
    with pytest.raises(Invalid, match="cannot be used"):
        Certificate.of(tmp_path / "none.pem", issued.key, names="A and B")
