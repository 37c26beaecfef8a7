"""A service as a process of its own: the environment, signals, a health port, an exit code."""

import asyncio
import contextlib
import signal
import sys
from typing import Any, NoReturn, TypeVar

import structlog

from common.config import ServiceSettings
from common.errors import Error
from common.health import Health, create_app, serving
from common.observability import bound, configure_logging, configure_tracing, shutdown_tracing
from common.service.definition import Service
from common.service.environment import load, weaknesses
from common.service.hosting import hosted

S = TypeVar("S", bound=ServiceSettings)

log = structlog.stdlib.get_logger(__name__)


def run(service: Service[S]) -> NoReturn:
    """Run the service until SIGTERM or SIGINT; ends the process.

    Exit code 0 after an orderly end, 2 for unacceptable settings, else that of the error.
    """
    try:
        settings = load(service.settings)
    except Error as error:
        print(f"{service.name} cannot start.\n{error}", file=sys.stderr)  # noqa: T201 - logging is set up with the settings
        sys.exit(error.exit_code)
    configure_logging(settings.log_level)
    for sentence in weaknesses(settings):
        log.warning("weak key", service=service.name, reason=sentence)
    configure_tracing(service.name, settings.otel_exporter_otlp_endpoint)
    code = asyncio.run(_main(service, settings))
    shutdown_tracing()
    sys.exit(code)


async def _main(service: Service[S], settings: S) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    with bound(service=service.name):
        try:
            await _serve(service, settings, stop)
        except Error as error:
            log.critical("service failed", code=error.code, reason=str(error))
            return error.exit_code
        except Exception:
            log.critical("service failed", exc_info=True)
            return Error.exit_code
    log.info("service ended", service=service.name)
    return 0


async def _serve(service: Service[S], settings: S, stop: asyncio.Event) -> None:
    health = Health()
    stopping = asyncio.create_task(stop.wait())
    try:
        async with serving(create_app(health), settings.health_host, settings.health_port):
            starting = asyncio.create_task(_work(service, settings, health, stopping))
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not health.started:
                # Still waiting for a dependency: nothing has begun that needs an orderly end.
                starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await starting
    finally:
        stopping.cancel()


async def _work(
    service: Service[S], settings: S, health: Health, stopping: asyncio.Future[Any]
) -> None:
    async with hosted(service, settings, health=health) as runtime:
        await asyncio.wait({stopping, runtime.failed}, return_when=asyncio.FIRST_COMPLETED)
        if runtime.failed.done():
            runtime.failed.result()
