"""token-service: the keyring, and the tokens of accounts elsewhere."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from common.messages import GetRepositoryConfig
from common.service import Runtime, Service, run
from token_service.connections import open_keychain
from token_service.domain import Keyring
from token_service.following import Following
from token_service.handlers import KeyringCheck, KeyringQuestions
from token_service.resealing import Resealing
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
    runtime.answer(GetRepositoryConfig.queue, {GetRepositoryConfig: questions.config})
    runtime.health.add_check("keyring", ready)
    if keychain := await open_keychain(runtime.pool, settings.encryption_key):
        resealing = Resealing(runtime, keychain)
        runtime.spawn("sealing anew", resealing.run())
        runtime.health.add_warning("oauth connections", resealing.warning)
    await ready()
    yield


SERVICE = Service(
    name="token-service",
    settings=TokenServiceSettings,
    wire=wire,
    migrations=Path(__file__).parent / "migrations",
)

if __name__ == "__main__":
    run(SERVICE)
