"""``strongroom serve SERVICE``: one service, settings from the environment."""

from importlib import import_module
from typing import Annotated

import typer

from common.errors import Invalid
from common.service import run
from standalone.commands import new_app

SERVICES = {
    "gateway": "gateway", "backup-worker": "backup_worker", "restore-worker": "restore_worker",
    "storage-uploader": "storage_uploader", "token-service": "token_service",
    "audit-sink": "audit_sink",
}  # fmt: skip
ALIASES = {
    "api": "gateway", "backup": "backup-worker", "restore": "restore-worker",
    "uploader": "storage-uploader", "tokens": "token-service", "audit": "audit-sink",
}  # fmt: skip

app = new_app()


def module_of(name: str) -> str:
    """The package of the service that ``name`` means."""
    plain = name.replace("_", "-")
    package = SERVICES.get(ALIASES.get(plain, plain))
    if package is None:
        raise Invalid(
            f"There is no service '{name}'.", remedy=f"Take one of: {', '.join(SERVICES)}."
        )
    return package


@app.command()
def serve(
    service: Annotated[str, typer.Argument(help=f"One of: {', '.join(SERVICES)}.")],
) -> None:
    """Run one service until it is told to stop (SIGTERM).

    Its settings come from the environment: DATABASE_URL, AMQP_URL and those that its README lists.
    """
    run(import_module(f"{module_of(service)}.main").SERVICE)
