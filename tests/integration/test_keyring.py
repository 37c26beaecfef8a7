"""token-service on a real database: one repository, however many replicas and restarts."""

import asyncio
import base64
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr

from common.bus.memory import Broker
from common.errors import Corrupt, WrongKey
from common.messages import AuditRecorded, GetRepositoryConfig, RepositoryConfig, RepositoryCreated
from common.repository.opening import create
from common.repository.rekeying.rotation import rotate
from common.repository.rekeying.unlocked import provider_of
from common.service import Runtime
from common.storage.local import LocalDirectory
from integration.replicas import connected, replica
from token_service.main import SERVICE
from token_service.settings import TokenServiceSettings

Url = Callable[[str], str]
Tokens = Runtime[TokenServiceSettings]


def tokens(
    url: Url, broker: Broker, key: str = "the key", folder: Path = Path("/nonexistent")
) -> AbstractAsyncContextManager[Tokens]:
    settings = TokenServiceSettings(
        database_url=SecretStr(url("token_service")),
        database_pool_size=3,
        backup_encryption_key=SecretStr(key),
        backup_local_dir=folder,
    )
    return replica(SERVICE, settings, broker)


async def ask(runtime: Tokens) -> RepositoryConfig:
    answer = await runtime.ask(GetRepositoryConfig(), wait=60)
    assert isinstance(answer, RepositoryConfig)
    return answer


async def test_replicas_make_one_repository(database_url: Url) -> None:
    """Two stations would write under two keys, and one of them could not be restored."""
    broker = Broker()
    async with AsyncExitStack() as stack:
        observer = await stack.enter_async_context(connected(broker))
        heard = aiter(await stack.enter_async_context(observer.listen(["repository.*", "audit.*"])))
        replicas = [await stack.enter_async_context(tokens(database_url, broker)) for _ in "abc"]
        answers = await asyncio.gather(*(ask(each) for each in replicas * 3))
        assert len(set(answers)) == 1
        assert answers[0].repository_id.encode() in base64.b64decode(answers[0].config)
        events = [(await asyncio.wait_for(anext(heard), 60)).data for _ in range(2)]
        assert {type(event) for event in events} == {RepositoryCreated, AuditRecorded}
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(heard), 0.2)
    async with tokens(database_url, broker) as runtime:
        assert await ask(runtime) == answers[0]


async def test_a_wrong_key_is_refused_and_said(database_url: Url) -> None:
    """Backups would be made for days that nobody can open."""
    broker = Broker()
    async with tokens(database_url, broker) as runtime:
        right = await ask(runtime)
        assert (await runtime.health.report()).ready
    async with tokens(database_url, broker, key="a key from the wrong file") as runtime:
        with pytest.raises(WrongKey, match="BACKUP_ENCRYPTION_KEY"):
            await ask(runtime)
        report = await runtime.health.report()
        assert "BACKUP_ENCRYPTION_KEY" in report.missing["keyring"]
    async with tokens(database_url, broker) as runtime:
        assert await ask(runtime) == right


async def test_a_rotation_is_followed_and_an_older_config_refused(
    database_url: Url, tmp_path: Path
) -> None:
    """A new folder would be made with keys that were given up."""
    key, folder = "the key", tmp_path / "repository"
    async with tokens(database_url, Broker(), key, folder) as runtime:
        made = await ask(runtime)
        create(folder, base64.b64decode(made.config))
        first = (folder / "config").read_bytes()
        directory = LocalDirectory(folder)
        await asyncio.to_thread(rotate, directory, provider_of(directory, key))
        assert (await runtime.health.report()).ready
        followed = await ask(runtime)
        assert base64.b64decode(followed.config) == (folder / "config").read_bytes() != first
        (folder / "config").write_bytes(first)
        assert "generation 1" in (await runtime.health.report()).missing["keyring"]
        with pytest.raises(Corrupt, match="an older one was put in its place"):
            await ask(runtime)
