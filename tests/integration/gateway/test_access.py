"""Who may use which route, for every route that the router has."""

from dataclasses import dataclass

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from common.messages import AuditPage, Envelope, RestoreStarted, seal, uuid7
from gateway.app import ROUTERS
from gateway.identity.admitting import Access
from gateway.identity.domain import COVERED, Permission
from integration.gateway.identity_samples import SAMPLES as IDENTITY
from integration.gateway.samples import Prepare, Sample, fixed
from integration.gateway.security_samples import SAMPLES as SECURITY
from integration.gateway.site import Site


@dataclass(frozen=True)
class Route:
    """A route as it is declared."""

    method: str
    path: str
    access: Access

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def declared() -> list[Route]:
    """Every route of the application, from its routers."""
    return [
        Route(method, context.path or "", context.original_route.access)  # type: ignore[attr-defined]
        for router in ROUTERS
        for context in iter_route_contexts(router.routes)
        for method in sorted(context.methods or ())
    ]


async def restore_id(site: Site) -> str:
    backup_id, found = await site.backup(), str(uuid7())
    await site.tell(RestoreStarted(restore_id=found, backup_id=backup_id, worker="w"))
    await site.settled()
    return found


async def waiting_backup(site: Site) -> str:
    answer = await (await site.log_in()).post("/api/backups")
    assert answer.status_code == 202
    return str(answer.json()["id"])


def on_backup(path: str, status: int = 200) -> Prepare:
    async def prepare(site: Site) -> Sample:
        return Sample(path.format(await site.backup()), None, status)

    return prepare


def on_restore(path: str, status: int = 200) -> Prepare:
    async def prepare(site: Site) -> Sample:
        return Sample(path.format(await restore_id(site)), None, status)

    return prepare


def on_verification(path: str, status: int = 200) -> Prepare:
    async def prepare(site: Site) -> Sample:
        backup_id = await site.backup()
        answer = await (await site.log_in()).post(f"/api/backups/{backup_id}/verify")
        return Sample(path.format(answer.json()["id"]), None, status)

    return prepare


def on_waiting(path: str, status: int = 200) -> Prepare:
    async def prepare(site: Site) -> Sample:
        return Sample(path.format(await waiting_backup(site)), None, status)

    return prepare


async def by_name(site: Site) -> Sample:
    await site.backup("to-restore")
    return Sample("/api/v2/enhanced-backup/restore", {"backup_name": "to-restore"}, 202)


async def verify_by_name(site: Site) -> Sample:
    await site.backup("to-verify")
    return Sample("/api/v2/enhanced-backup/verify/to-verify", None, 202)


SAMPLES: dict[str, Prepare] = {
    **IDENTITY,
    **SECURITY,
    "POST /api/backups": fixed("/api/backups", {"components": ["files"]}, 202),
    "GET /api/backups": fixed("/api/backups"),
    "GET /api/backups/overview": fixed("/api/backups/overview"),
    "GET /api/backups/{backup_id}": on_backup("/api/backups/{}"),
    "DELETE /api/backups/{backup_id}": on_backup("/api/backups/{}", 202),
    "POST /api/backups/{backup_id}/verify": on_backup("/api/backups/{}/verify", 202),
    "POST /api/backups/{backup_id}/restore": on_backup("/api/backups/{}/restore", 202),
    "POST /api/backups/{backup_id}/cancel": on_waiting("/api/backups/{}/cancel", 202),
    "GET /api/restores": fixed("/api/restores"),
    "GET /api/restores/{restore_id}": on_restore("/api/restores/{}"),
    "POST /api/restores/{restore_id}/cancel": on_restore("/api/restores/{}/cancel", 202),
    "POST /api/verifications/{verification_id}/cancel": on_verification(
        "/api/verifications/{}/cancel", 202
    ),
    "GET /api/operations/{operation_id}": on_restore("/api/operations/{}"),
    "GET /api/events/stream": fixed("/api/events/stream"),
    "POST /api/v2/enhanced-backup/create": fixed("/api/v2/enhanced-backup/create", {}, 202),
    "GET /api/v2/enhanced-backup/list": fixed("/api/v2/enhanced-backup/list"),
    "POST /api/v2/enhanced-backup/restore": by_name,
    "POST /api/v2/enhanced-backup/verify/{backup_name}": verify_by_name,
    "GET /api/v2/enhanced-backup/stats": fixed("/api/v2/enhanced-backup/stats"),
    "GET /api/v2/enhanced-backup/config": fixed("/api/v2/enhanced-backup/config"),
    "GET /api/v2/enhanced-backup/health": fixed("/api/v2/enhanced-backup/health"),
    "GET /api/v2/security/audit-logs": fixed("/api/v2/security/audit-logs"),
    "GET /healthz": fixed("/healthz"),
    "GET /readyz": fixed("/readyz"),
    "GET /openapi.json": fixed("/openapi.json"),
    "GET /docs": fixed("/docs"),
    "GET /docs/{asset}": fixed("/docs/docs.js"),
}

ROUTES = declared()
GUARDED = [route for route in ROUTES if not route.access.public]
MANAGE_SETTINGS = Permission.MANAGE_SETTINGS
PERMITTED = [route for route in GUARDED if route.access.permission]


@pytest.fixture(scope="module", autouse=True)
async def auditor(site: Site) -> None:
    """Something that answers for audit-sink."""

    async def answer(question: Envelope) -> Envelope:
        return seal(AuditPage(entries=(), total=0), source="audit-sink")

    await site.workers.answer("audit-sink.questions", answer)


async def send(client: httpx.AsyncClient, route: Route, sample: Sample) -> int:
    """The status alone, so that an answer without end is none."""
    async with client.stream(
        route.method, sample.path, json=sample.json, files=sample.files
    ) as answer:
        return answer.status_code


async def ask(site: Site, client: httpx.AsyncClient, route: Route) -> tuple[int, int]:
    """What the route answers, and what it answers to whoever may use it."""
    sample = await SAMPLES[str(route)](site)
    return await send(client, route, sample), sample.status


def test_every_route_has_a_sample() -> None:
    """Otherwise a new route is never tried without permission."""
    assert sorted(SAMPLES) == sorted(str(route) for route in ROUTES)


@pytest.mark.parametrize("route", GUARDED, ids=str)
async def test_nobody_gets_in_without_a_session(site: Site, route: Route) -> None:
    """Otherwise backups are anybody's."""
    status, _ = await ask(site, site.anonymous(), route)
    assert status == 401
    stale = site.anonymous()
    stale.headers["Authorization"] = "Bearer " + "x" * 64
    status, _ = await ask(site, stale, route)
    assert status == 401


@pytest.mark.parametrize("route", PERMITTED, ids=str)
async def test_every_other_permission_is_not_enough(site: Site, route: Route) -> None:
    """Otherwise a viewer restores, or an operator reads the audit log."""
    needed = route.access.permission
    assert needed is not None
    enough = {needed, Permission.MANAGE_SETTINGS}
    others = [permission for permission in Permission if permission not in enough]
    client = await site.log_in(await site.add_user([], others))
    status, _ = await ask(site, client, route)
    assert status == 403


@pytest.mark.parametrize("route", PERMITTED, ids=str)
async def test_the_one_permission_is_enough(site: Site, route: Route) -> None:
    """Otherwise least privilege cannot be had."""
    assert route.access.permission is not None
    client = await site.log_in(await site.add_user([], [route.access.permission]))
    status, good = await ask(site, client, route)
    assert status == good


@pytest.mark.parametrize("route", ROUTES, ids=str)
async def test_the_administrator_may_do_everything(site: Site, route: Route) -> None:
    """Otherwise something cannot be done at all."""
    status, good = await ask(site, await site.log_in(), route)
    assert status == good


BACKUP_ROUTES = [r for r in PERMITTED if r.access.permission in COVERED | {MANAGE_SETTINGS}]


@pytest.mark.parametrize("route", BACKUP_ROUTES, ids=str)
async def test_manage_settings_covers_every_backup_operation(site: Site, route: Route) -> None:
    """Otherwise the documented permission does not do what it says."""
    client = await site.log_in(await site.add_user([], ["manage_settings"]))
    status, good = await ask(site, client, route)
    assert status == good


async def test_a_user_without_roles_may_nothing(site: Site) -> None:
    """Otherwise every account is an operator."""
    client = await site.log_in(await site.add_user([]))
    assert (await client.get("/api/auth/me")).json()["permissions"] == []
    assert (await client.get("/api/backups")).status_code == 403
