"""/healthz says alive, /readyz says which dependency is missing, /metrics is for Prometheus."""

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from common.health.checks import Health

_UNAVAILABLE = 503


def routes(health: Health) -> list[Route]:
    """The three routes, for an application that serves more than them."""

    async def alive(request: Request) -> Response:
        del request
        return JSONResponse({"status": "alive"})

    async def ready(request: Request) -> Response:
        del request
        report = await health.report()
        body = {
            "status": "ready" if report.ready else "not ready",
            "missing": dict(report.missing),
            "warnings": dict(report.warnings),
        }
        return JSONResponse(body, status_code=200 if report.ready else _UNAVAILABLE)

    async def metrics(request: Request) -> Response:
        del request
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [
        Route("/healthz", alive),
        Route("/readyz", ready),
        Route("/metrics", metrics),
    ]


def create_app(health: Health) -> Starlette:
    """An application of these routes alone."""
    return Starlette(routes=routes(health))
