"""The HTTP application: every router, and the document that describes them."""

from common.observability.metrics import build_version
from common.service import Runtime
from common.service.resealing import Resealing
from common.web import Edge, create_app
from common.web.application import Application
from gateway.apikeys.routes import router as api_keys
from gateway.audit.routes import router as audit
from gateway.backups.routes import router as backups
from gateway.docs.routes import router as docs
from gateway.enhanced.routes import router as enhanced
from gateway.identity.access import GuardedRoute
from gateway.identity.handlers import Identity
from gateway.identity.routes import router as auth
from gateway.mfa.routes import router as mfa
from gateway.oidc.handlers import Oidc
from gateway.oidc.routes import of_users as oidc_users
from gateway.oidc.routes import router as oidc
from gateway.operations.routes import router as operations
from gateway.passkeys.routes import router as passkeys
from gateway.probes import router as probes
from gateway.restores.routes import router as restores
from gateway.roles.routes import router as roles
from gateway.security.keys import router as keys
from gateway.security.routes import VALIDATE_FILE
from gateway.security.routes import router as security
from gateway.security.secrets import SecretKeys
from gateway.sessions.routes import router as sessions
from gateway.settings import GatewaySettings
from gateway.stream.hub import Hub
from gateway.stream.routes import router as stream
from gateway.users.routes import own as own_account
from gateway.users.routes import router as users

ACCOUNTS = (auth, own_account, sessions, mfa, passkeys, oidc)
IDENTITY = (*ACCOUNTS, users, oidc_users, roles, api_keys)
ROUTERS = (
    *IDENTITY,
    backups,
    restores,
    operations,
    stream,
    enhanced,
    audit,
    security,
    keys,
    probes,
    docs,
)
# Orchestrators ask by whatever address they have.
PROBES = frozenset({"/healthz", "/readyz"})

DESCRIPTION = """
Backups, restores and what proves them. Log in at `/api/auth/login` and send the token as
`Authorization: Bearer <token>`.

Long work answers **202** with an operation. `Prefer: wait=30` waits for its end and then answers
200 with the outcome; `/api/events/stream` follows it. An `Idempotency-Key` makes a request that is
sent twice act once. Every error has the form `{"error": {"code", "message", "details"}}`.

`/api/v2/…` does the same under the names of the documented API, in the envelope
`{"status_code", "message", "data"}`.
"""
TAGS = [
    {"name": "auth", "description": "Sessions, and one's own account."},
    {"name": "api-keys", "description": "Keys for programs."},
    {"name": "users", "description": "Accounts, and what their roles let them do."},
    {"name": "backups", "description": "Take, list, verify, delete."},
    {"name": "restores", "description": "Bring back."},
    {"name": "operations", "description": "Long work and its outcome."},
    {"name": "events", "description": "What happens, as it happens."},
    {"name": "enhanced-backup", "description": "The same under the documented v2 names."},
    {"name": "security", "description": "The audit log; judging input, files and passwords."},
    {"name": "health", "description": "For orchestrators."},
]
SECURITY = {
    "session": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of a session, from `/api/auth/login`, or an API key.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "strongroom_session",
        "description": "A console's session. Unsafe requests send `X-CSRF-Token` as well.",
    },
}


def build_app(
    runtime: Runtime[GatewaySettings],
    identity: Identity,
    hub: Hub,
    secrets: SecretKeys,
    resealing: Resealing,
) -> Application:
    """The whole API over these parts."""
    settings = runtime.settings
    app = create_app(
        title="Strongroom",
        version=build_version(),
        description=DESCRIPTION,
        openapi_tags=TAGS,
        security_schemes=SECURITY,
        body_limit=settings.gateway_max_request_bytes,
        # A multipart body has a frame around the file.
        body_limits={VALIDATE_FILE: (settings.security_max_file_size_mb << 20) + (64 << 10)},
        edge=Edge(
            proxies=settings.strongroom_trusted_proxies,
            hosts=settings.strongroom_allowed_hosts,
            hsts=settings.security_hsts,
            origins=settings.strongroom_cors_origins,
            probes=PROBES,
        ),
    )
    app.state.runtime = runtime
    app.state.identity = identity
    app.state.hub = hub
    app.state.oidc = Oidc(runtime, identity, settings, settings.gateway_public_url)
    app.state.secrets = secrets
    app.state.resealing = resealing
    app.router.route_class = GuardedRoute
    for router in ROUTERS:
        app.include_router(router)
    return app
