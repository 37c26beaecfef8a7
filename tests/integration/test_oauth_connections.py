"""Tokens of other accounts on a real database: sealed, bound to their row, and sealed anew."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from common.bus.memory import Broker
from common.errors import Conflict, Corrupt, Invalid, NotFound, WrongKey
from common.messages import GetSealing, SealingStanding
from common.service import Runtime
from common.service.resealing import Progress, Resealing
from integration.replicas import replica
from standalone.product.datadir import DataDirectory
from standalone.product.retiring import retire
from token_service.connection_store import OAuthConnection
from token_service.connections import OAuthConnections, open_keychain
from token_service.main import SERVICE
from token_service.resealing import SealingQuestions, Tokens
from token_service.settings import TokenServiceSettings

Url = Callable[[str], str]
Service = Runtime[TokenServiceSettings]
OLD, NEW = "the former encryption key", "the newest encryption key"


def hosted(url: Url) -> AbstractAsyncContextManager[Service]:
    settings = TokenServiceSettings(database_url=SecretStr(url("token_service")))
    return replica(SERVICE, settings, Broker())


@pytest.fixture
async def runtime(database_url: Url) -> AsyncIterator[Service]:
    async with hosted(database_url) as runtime:
        await runtime.pool.execute("TRUNCATE oauth_connections, resealings")
        yield runtime


async def under(runtime: Service, *keys: str) -> tuple[OAuthConnections, Resealing]:
    keychain = await open_keychain(runtime.pool, SecretStr(",".join(keys)))
    assert keychain is not None
    return OAuthConnections(keychain), Resealing(
        runtime, Tokens(keychain), what="OAuth connections", setting="ENCRYPTION_KEY"
    )


async def connect(runtime: Service, connections: OAuthConnections, count: int) -> list[UUID]:
    ids = [uuid4() for _ in range(count)]
    for each in ids:
        async with runtime.transaction() as context:
            await connections.save(
                context, OAuthConnection(each, "google", str(each)), SecretStr(f"token of {each}")
            )
    return ids


async def read(runtime: Service, connections: OAuthConnections, which: UUID) -> str:
    async with runtime.transaction() as context:
        return (await connections.refresh_token(context, which)).get_secret_value()


async def test_a_token_is_stored_sealed_and_comes_back(runtime: Service) -> None:
    """Lost: the account elsewhere, to whoever reads the database."""
    connections, _ = await under(runtime, NEW)
    (which,) = await connect(runtime, connections, 1)
    assert await read(runtime, connections, which) == f"token of {which}"
    stored = await runtime.pool.fetchval("SELECT refresh_token_encrypted FROM oauth_connections")
    assert b"token of" not in stored
    sent = await runtime.pool.fetch("SELECT * FROM outbox")
    assert "token of" not in str(sent)
    async with runtime.transaction() as context:
        await connections.remove(context, which)
    with pytest.raises(NotFound):
        await read(runtime, connections, which)


async def test_a_token_does_not_open_in_another_row(runtime: Service) -> None:
    """Lost: one customer's account, to another who can write the table."""
    connections, _ = await under(runtime, NEW)
    one, other = await connect(runtime, connections, 2)
    await runtime.pool.execute(
        "UPDATE oauth_connections SET refresh_token_encrypted = (SELECT refresh_token_encrypted"
        " FROM oauth_connections WHERE id = $1) WHERE id = $2",
        one,
        other,
    )
    with pytest.raises(Corrupt):
        await read(runtime, connections, other)


async def test_a_new_key_takes_over_and_the_former_is_no_longer_needed(runtime: Service) -> None:
    """Lost: every connection, at the yearly change of the key."""
    former, _ = await under(runtime, OLD)
    ids = await connect(runtime, former, 250)
    both, resealing = await under(runtime, NEW, OLD)
    assert await read(runtime, both, ids[0]) == f"token of {ids[0]}"
    assert (await resealing.progress()).waiting == 250
    done = await resealing.once()
    assert (done.resealed, done.waiting) == (250, 0)
    alone, _ = await under(runtime, NEW)
    assert {await read(runtime, alone, each) for each in ids} == {f"token of {i}" for i in ids}
    with pytest.raises(WrongKey):
        await read(runtime, former, ids[0])
    assert (await resealing.once()).resealed == 250
    assert (await resealing.progress()).finished_at is not None


async def test_whoever_comes_after_a_kill_goes_on(
    runtime: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the tokens of the batch in which the process died, or the count."""
    former, _ = await under(runtime, OLD)
    ids = await connect(runtime, former, 30)
    both, first = await under(runtime, NEW, OLD)
    monkeypatch.setattr("common.service.resealing.BATCH", 7)
    batches: list[int] = []
    whole = Tokens._anew

    def dies_in_the_third(*arguments: object) -> object:
        batches.append(1)
        if len(batches) > 17:
            raise KeyboardInterrupt
        return whole(*arguments)  # type: ignore[arg-type] # passed through

    with monkeypatch.context() as patched:
        patched.setattr(Tokens, "_anew", dies_in_the_third)
        assert await asyncio.ensure_future(_swallowed(first))
    state = await first.progress()
    assert (state.resealed, state.waiting, state.finished_at) == (14, 16, None)
    assert await read(runtime, both, ids[-1]) == f"token of {ids[-1]}"
    two = [(await under(runtime, NEW, OLD))[1] for _ in "ab"]
    await asyncio.gather(*(each.once() for each in two))
    done: Progress = await two[0].once()
    assert (done.resealed, done.waiting) == (30, 0)


async def _swallowed(resealing: Resealing) -> bool:
    try:
        await resealing.once()
    except KeyboardInterrupt:
        return True
    return False


async def test_what_no_key_opens_is_said_and_holds_nothing_up(runtime: Service) -> None:
    """Lost: all other tokens, because of one; or the news that one is lost."""
    strange, _ = await under(runtime, "a key that nobody has any more")
    await connect(runtime, strange, 1)
    former, _ = await under(runtime, OLD)
    await connect(runtime, former, 2)
    _, resealing = await under(runtime, NEW, OLD)
    done = await resealing.once()
    assert (done.resealed, done.waiting, done.finished_at) == (2, 1, None)
    questions = SealingQuestions(resealing, 2)
    assert "1 OAuth connections" in (await resealing.warning() or "")
    async with runtime.transaction() as context:
        told = await questions.standing(context, GetSealing())
    assert (told.former_keys, told.secrets, told.waiting, told.unreadable) == (1, 3, 1, 1)


async def test_without_a_key_nothing_is_stored(runtime: Service) -> None:
    """Lost: tokens in the clear, in an installation that forgot the setting."""
    assert await open_keychain(runtime.pool, SecretStr("")) is None
    with pytest.raises(Invalid, match="ENCRYPTION_KEY is not set"):
        await connect(runtime, OAuthConnections(None), 1)
    assert await runtime.ask(GetSealing()) == SealingStanding()


async def test_a_former_key_is_retired_when_no_token_needs_it(
    runtime: Service, database_url: Url, tmp_path: Path
) -> None:
    """Lost: a token, to a key that went too early; or the reason to change keys at all."""
    connections, _ = await under(runtime, OLD)
    await connect(runtime, connections, 2)
    directory, name = DataDirectory(tmp_path / "data"), "encryption_key"
    with directory.opened():
        directory.write_secret(name, f"{NEW},{OLD}")
        with pytest.raises(Conflict, match="2 stored secrets"):
            await retire(directory, database_url, name)
        _, resealing = await under(runtime, NEW, OLD)
        await resealing.once()
        assert await retire(directory, database_url, name) == 1
        assert directory.secret(name).get_secret_value() == NEW
