"""token-service: the keyring, and the tokens of accounts elsewhere."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from common.messages import GetRepositoryConfig, GetSealing
from common.service import Runtime, Service, run
from common.service.resealing import Resealing
from token_service.connections import open_keychain
from token_service.domain import Keyring
from token_service.following import Following
from token_service.handlers import KeyringCheck, KeyringQuestions
from token_service.resealing import SealingQuestions, Tokens
from token_service.settings import TokenServiceSettings


@asynccontextmanager
async def wire(runtime: Runtime[TokenServiceSettings]) -> AsyncIterator[None]:
    """Questions about the keyring, readiness only with the right key, tokens under the newest."""
    settings = runtime.settings
    enabled = settings.backup_encryption_enabled
    keyring = Keyring(settings.backup_encryption_key if enabled else None)
    following = Following(keyring, settings.backup_local_dir)
    ready = KeyringCheck(runtime, keyring, following)
    questions = KeyringQuestions(keyring, following)
    runtime.health.add_check("keyring", ready)
    sealing = await _sealing(runtime)
    runtime.answer(
        GetRepositoryConfig.queue,
        {GetRepositoryConfig: questions.config, GetSealing: sealing.standing},
    )
    await ready()
    yield


async def _sealing(runtime: Runtime[TokenServiceSettings]) -> SealingQuestions:
    keychain = await open_keychain(runtime.pool, runtime.settings.encryption_key)
    if keychain is None:
        return SealingQuestions(None, 0)
    resealing = Resealing(
        runtime, Tokens(keychain), what="OAuth connections", setting="ENCRYPTION_KEY"
    )
    runtime.spawn("sealing anew", resealing.run())
    runtime.health.add_warning("oauth connections", resealing.warning)
    return SealingQuestions(resealing, len(keychain.ids))


SERVICE = Service(
    name="token-service",
    settings=TokenServiceSettings,
    wire=wire,
    migrations=Path(__file__).parent / "migrations",
)

if __name__ == "__main__":
    run(SERVICE)
