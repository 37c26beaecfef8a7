"""Which dependencies a service has, and whether they are there, within a limited time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from common.errors import Error

Check = Callable[[], Awaitable[str | None]]

_LIMIT_SECONDS = 3.0
_STARTING = "It is starting."


@dataclass(frozen=True, slots=True)
class Report:
    """``missing`` names each dependency that is not there, ``warnings`` what needs a look."""

    missing: Mapping[str, str] = field(default_factory=dict)
    warnings: Mapping[str, str] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether the service can do its work."""
        return not self.missing


class Health:
    """The checks of one service. A check answers None, or a sentence that says what is wrong."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._warnings: dict[str, Check] = {}
        self._phase = _STARTING

    def add_check(self, name: str, check: Check) -> None:
        """Without ``name`` the service is not ready."""
        self._checks[name] = check

    def add_warning(self, name: str, check: Check) -> None:
        """``name`` is shown, and the service goes on working without it."""
        self._warnings[name] = check

    def start(self) -> None:
        """From now on the service is ready when its dependencies are there."""
        self._phase = ""

    def stop(self) -> None:
        """From now on the service is not ready: it takes no new work."""
        self._phase = "It is shutting down."

    @property
    def started(self) -> bool:
        """Whether the service has got past its start."""
        return self._phase != _STARTING

    async def report(self) -> Report:
        """Run all checks at once; one that does not end in three seconds counts as failed."""
        missing, warnings = await asyncio.gather(_run(self._checks), _run(self._warnings))
        if self._phase:
            missing = {"service": self._phase, **missing}
        return Report(missing, warnings)


async def _run(checks: Mapping[str, Check]) -> dict[str, str]:
    answers = await asyncio.gather(*(_ask(check) for check in checks.values()))
    return {name: answer for name, answer in zip(checks, answers, strict=True) if answer}


async def _ask(check: Check) -> str | None:
    try:
        async with asyncio.timeout(_LIMIT_SECONDS):
            return await check()
    except TimeoutError:
        return f"No answer within {_LIMIT_SECONDS:.0f} seconds."
    except Error as error:
        return error.message
    except Exception as error:  # noqa: BLE001 - a check that breaks is a dependency that is missing
        return f"The check failed: {type(error).__name__}."
