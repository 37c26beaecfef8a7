"""What the enhanced-backup family decides beyond the operations that it shares."""

from common.db import Pool, borrowed
from common.errors import Invalid, NotFound
from common.health import Health
from gateway.backups import store
from gateway.backups.store import Statistics
from gateway.enhanced.schemas import HealthAnswer


def check_encryption(wanted: bool | None, enabled: bool) -> None:
    """Refuse what the repository does not do, rather than do something else silently.

    Raises:
        Invalid: saying how the repository is set up.
    """
    if wanted is None or wanted == enabled:
        return
    if enabled:
        raise Invalid(
            "Every backup in this repository is encrypted.", remedy="Leave the field out."
        )
    raise Invalid(
        "This repository is not encrypted.",
        remedy="Set BACKUP_ENCRYPTION_ENABLED=true for a new one, or leave the field out.",
    )


async def backup_named(pool: Pool, name: str) -> str:
    """The id of the backup that the name means.

    Raises:
        NotFound: no backup ever had it.
    """
    async with borrowed(pool) as connection:
        found = await store.find_by_name(connection, name)
    if found is None:
        raise NotFound(f"There is no backup named {name}.")
    return found


async def health_of(health: Health, numbers: Statistics) -> HealthAnswer:
    """The platform's own health together with that of the backups."""
    report = await health.report()
    warnings = dict(report.warnings)
    if numbers.damaged:
        warnings["verification"] = f"{numbers.damaged} backups had findings when last verified."
    failing = [copy["destination"] for copy in numbers.copies if copy["failed"]]
    if failing:
        warnings["uploads"] = f"Copies are missing at {', '.join(failing)}."
    good, bad = numbers.last_completed_at, numbers.last_failed_at
    if good is None:
        warnings["backups"] = "There is no backup yet."
    elif bad is not None and bad > good:
        warnings["backups"] = "The latest backup failed."
    status = "unhealthy" if report.missing else "degraded" if warnings else "healthy"
    return HealthAnswer(status=status, missing=dict(report.missing), warnings=warnings)
