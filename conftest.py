"""What holds for all tests."""

from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import HealthCheck, settings

from common.crypto import stretching

# Hypothesis without limits of time: a busy machine is no failure.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first: at the end nothing would be left to run beside them.

    Coverage would double the time of the randomised tests, which find nothing that it asks for.
    """
    for item in items:
        if "chaos" in item.path.parts:
            item.add_marker("slow")
            item.add_marker("no_cover")
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def _keys_are_stretched_once() -> Iterator[None]:
    """The same text and salt give the same key: a process need not toil for it again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stretching, "_stretch", cache(stretching._stretch))  # noqa: SLF001
        yield
