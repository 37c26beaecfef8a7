"""token-service: the keyring."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from common.messages import GetRepositoryConfig
from common.service import Runtime, Service, run
from token_service.domain import Keyring
from token_service.handlers import KeyringCheck, KeyringQuestions
from token_service.settings import TokenServiceSettings


@asynccontextmanager
async def wire(runtime: Runtime[TokenServiceSettings]) -> AsyncIterator[None]:
    """Questions about the keyring, and readiness only with the right key."""
    settings = runtime.settings
    enabled = settings.backup_encryption_enabled
    keyring = Keyring(settings.backup_encryption_key if enabled else None)
    questions = KeyringQuestions(keyring)
    runtime.answer(GetRepositoryConfig.queue, {GetRepositoryConfig: questions.config})
    runtime.health.add_check("keyring", KeyringCheck(runtime.pool, keyring))
    yield


SERVICE = Service(
    name="token-service",
    settings=TokenServiceSettings,
    wire=wire,
    migrations=Path(__file__).parent / "migrations",
)

if __name__ == "__main__":
    run(SERVICE)
