"""The same for users, roles and what belongs to them."""

from typing import Any
from uuid import uuid4

from common.messages import uuid7
from integration.gateway.samples import Prepare, Sample, fixed
from integration.gateway.site import PASSWORD, Site

NEW_PASSWORD = "Wrong-lamp-battery-31"
NOBODY = "019ab0c4-7d1e-7c3a-9b57-6a1f0f3c2d11"


def on_user(path: str, json: Any = None, status: int = 200) -> Prepare:
    """A request about a user without any role."""

    async def prepare(site: Site) -> Sample:
        return Sample(path.format(await site.user_id(await site.add_user([]))), json, status)

    return prepare


def on_role(path: str, json: Any = None, status: int = 200) -> Prepare:
    """A request about a role without any permission."""

    async def prepare(site: Site) -> Sample:
        name = f"role-{uuid4().hex[:8]}"
        await site.runtime.pool.execute("INSERT INTO roles VALUES ($1, '{}')", name)
        return Sample(path.format(name), json, status)

    return prepare


async def new_user(site: Site) -> Sample:
    """Somebody who is not there yet."""
    body = {"username": f"new-{uuid4().hex[:8]}", "password": NEW_PASSWORD}
    return Sample("/api/users", body, 201)


async def new_role(site: Site) -> Sample:
    """A role that is not there yet."""
    return Sample("/api/roles", {"name": f"new-{uuid4().hex[:8]}", "permissions": []}, 201)


async def session_of_user(site: Site) -> Sample:
    """A session of somebody else."""
    name = await site.add_user([])
    user_id = await site.user_id(name)
    client = await site.log_in(name)
    session = (await client.get("/api/auth/sessions")).json()["sessions"][0]["id"]
    return Sample(f"/api/users/{user_id}/sessions/{session}", None, 204)


async def new_key(site: Site) -> Sample:
    """A key of one's own that may nothing that matters."""
    return Sample("/api/api-keys", {"name": uuid4().hex, "scopes": ["users:manage"]}, 201)


async def key_of_user(site: Site) -> Sample:
    """A key of somebody without permissions any more."""
    user_id, key_id = await site.user_id(await site.add_user([])), str(uuid7())
    await site.runtime.pool.execute(
        "INSERT INTO api_keys (id, user_id, name, prefix, secret_digest, scopes)"
        " VALUES ($1, $2, 'old', 'sgk_x', $3, '{}')",
        key_id,
        user_id,
        key_id.encode(),
    )
    return Sample(f"/api/users/{user_id}/api-keys/{key_id}", None, 204)


UNASKED: dict[str, Any] = {"token": "x", "credential": {}}
CODE = {"code": "000000"}
OWN_PASSWORD = {"current_password": "not it at all", "new_password": NEW_PASSWORD}

SAMPLES: dict[str, Prepare] = {
    "POST /api/auth/login": fixed("/api/auth/login", {"username": "admin", "password": PASSWORD}),
    "POST /api/auth/logout": fixed("/api/auth/logout", status=204),
    "GET /api/auth/me": fixed("/api/auth/me"),
    # The administrator of these tests keeps the password: a wrong one is the good answer.
    "POST /api/auth/password": fixed("/api/auth/password", OWN_PASSWORD, 403),
    "GET /api/auth/sessions": fixed("/api/auth/sessions"),
    "DELETE /api/auth/sessions": fixed("/api/auth/sessions"),
    "DELETE /api/auth/sessions/{session_id}": fixed(f"/api/auth/sessions/{NOBODY}", status=404),
    "POST /api/auth/step-up": fixed("/api/auth/step-up", {"password": PASSWORD}, 204),
    "GET /api/auth/mfa": fixed("/api/auth/mfa"),
    # Nobody here has a second factor, so that no code is right.
    "POST /api/auth/mfa/verify": fixed("/api/auth/mfa/verify", CODE, 403),
    "POST /api/auth/mfa/totp": fixed("/api/auth/mfa/totp", status=201),
    "POST /api/auth/mfa/totp/confirm": fixed("/api/auth/mfa/totp/confirm", CODE, 403),
    "DELETE /api/auth/mfa/totp": fixed("/api/auth/mfa/totp", CODE, 403),
    "POST /api/auth/mfa/recovery-codes": fixed("/api/auth/mfa/recovery-codes", CODE, 403),
    "DELETE /api/users/{user_id}/mfa": on_user("/api/users/{}/mfa", status=204),
    "GET /api/auth/passkeys": fixed("/api/auth/passkeys"),
    "POST /api/auth/passkeys/registration": fixed("/api/auth/passkeys/registration"),
    # Nothing was asked of this device.
    "POST /api/auth/passkeys": fixed("/api/auth/passkeys", UNASKED, 422),
    "DELETE /api/auth/passkeys/{passkey_id}": fixed(f"/api/auth/passkeys/{NOBODY}", status=404),
    "POST /api/auth/passkeys/login/begin": fixed("/api/auth/passkeys/login/begin"),
    "POST /api/auth/passkeys/login": fixed("/api/auth/passkeys/login", UNASKED, 401),
    "POST /api/auth/passkeys/verify/begin": fixed("/api/auth/passkeys/verify/begin", status=403),
    "POST /api/auth/passkeys/verify": fixed("/api/auth/passkeys/verify", UNASKED, 403),
    # No provider is configured here.
    "GET /api/auth/oidc/login": fixed("/api/auth/oidc/login", status=404),
    "GET /api/auth/oidc/callback": fixed("/api/auth/oidc/callback", status=404),
    "POST /api/auth/oidc/link": fixed("/api/auth/oidc/link", status=404),
    "DELETE /api/auth/oidc/link": fixed("/api/auth/oidc/link", status=404),
    "PUT /api/users/{user_id}/oidc": on_user("/api/users/{}/oidc", {"subject": "x"}, 404),
    "DELETE /api/users/{user_id}/oidc": on_user("/api/users/{}/oidc", status=404),
    "POST /api/api-keys": new_key,
    "GET /api/api-keys": fixed("/api/api-keys"),
    "DELETE /api/api-keys/{key_id}": fixed(f"/api/api-keys/{NOBODY}", status=404),
    "GET /api/users/{user_id}/api-keys": on_user("/api/users/{}/api-keys"),
    "DELETE /api/users/{user_id}/api-keys/{key_id}": key_of_user,
    "POST /api/users": new_user,
    "GET /api/users": fixed("/api/users"),
    "GET /api/users/permissions": fixed("/api/users/permissions"),
    "GET /api/users/{user_id}": on_user("/api/users/{}"),
    "PATCH /api/users/{user_id}": on_user("/api/users/{}", {"roles": []}),
    "POST /api/users/{user_id}/disable": on_user("/api/users/{}/disable"),
    "POST /api/users/{user_id}/enable": on_user("/api/users/{}/enable"),
    "DELETE /api/users/{user_id}": on_user("/api/users/{}", status=204),
    "PUT /api/users/{user_id}/password": on_user(
        "/api/users/{}/password", {"password": NEW_PASSWORD}, 204
    ),
    "GET /api/users/{user_id}/sessions": on_user("/api/users/{}/sessions"),
    "DELETE /api/users/{user_id}/sessions": on_user("/api/users/{}/sessions"),
    "DELETE /api/users/{user_id}/sessions/{session_id}": session_of_user,
    "GET /api/roles": fixed("/api/roles"),
    "POST /api/roles": new_role,
    "GET /api/roles/{name}": on_role("/api/roles/{}"),
    "PATCH /api/roles/{name}": on_role("/api/roles/{}", {"description": "none"}),
    "DELETE /api/roles/{name}": on_role("/api/roles/{}", status=204),
}
