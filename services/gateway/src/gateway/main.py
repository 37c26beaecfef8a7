"""Wiring of the gateway."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from common.health import Certificate, serving
from common.service import Runtime, Service, run
from common.service.resealing import Resealing
from gateway.app import build_app
from gateway.backups import events
from gateway.identity.bootstrap import Announce, ensure_administrator
from gateway.identity.handlers import Identity
from gateway.mfa.sealing import Sealing
from gateway.security.secrets import SecretKeys
from gateway.settings import GatewaySettings
from gateway.stream.hub import Hub

Wire = Callable[[Runtime[GatewaySettings]], AbstractAsyncContextManager[None]]


def _resealing(runtime: Runtime[GatewaySettings], secrets: SecretKeys) -> Resealing:
    """What keeps stored secrets under the newest key, at work."""
    resealing = Resealing(
        runtime,
        Sealing(secrets.keys),
        what="authenticators",
        setting="SECURITY_ENCRYPTION_KEY",
    )
    runtime.spawn("sealing anew", resealing.run())
    runtime.health.add_warning("second factors", resealing.warning)
    return resealing


def wire_with(announce: Announce | None, listening: Callable[[int], None] | None) -> Wire:
    """The wiring.

    ``announce`` is told the first administrator's password if one is generated, ``listening`` the
    port on which the API answers.
    """

    @asynccontextmanager
    async def wire(runtime: Runtime[GatewaySettings]) -> AsyncIterator[None]:
        settings = runtime.settings
        certificate = Certificate.of(
            settings.gateway_tls_certificate,
            settings.gateway_tls_key,
            names="GATEWAY_TLS_CERTIFICATE and GATEWAY_TLS_KEY",
        )
        identity = Identity(runtime, settings)
        hub = Hub(runtime.listen)
        secrets = SecretKeys(settings.security_encryption_key, settings.security_key_salt)
        resealing = _resealing(runtime, secrets)
        await ensure_administrator(
            runtime, settings.strongroom_admin_password, identity.hash, announce
        )
        runtime.consume(events.QUEUE, events.HANDLERS, events=events.EVENTS)
        runtime.spawn("event streams", hub.run())
        runtime.spawn("identity housekeeping", identity.keep_house())
        runtime.spawn("security counts", identity.tally.keep())
        runtime.on_drain(hub.close)
        runtime.on_drain(identity.tally.flush)
        app = build_app(runtime, identity, hub, secrets, resealing)
        try:
            async with serving(
                app, settings.gateway_host, settings.gateway_port, certificate=certificate
            ) as port:
                if listening:
                    listening(port)
                yield
        finally:
            identity.close()

    return wire


def service(
    announce: Announce | None = None, listening: Callable[[int], None] | None = None
) -> Service[GatewaySettings]:
    """The gateway. Without ``announce`` the first password has to be configured."""
    return Service(
        name="gateway",
        settings=GatewaySettings,
        wire=wire_with(announce, listening),
        migrations=Path(__file__).parent / "migrations",
    )


SERVICE = service()

if __name__ == "__main__":
    run(SERVICE)
