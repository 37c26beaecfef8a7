"""What holds for all tests."""

import hashlib
from collections.abc import Iterator
from functools import cache

import pytest


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
    stretch = cache(hashlib.pbkdf2_hmac)

    def remembered(
        name: str, password: bytes, salt: bytes, iterations: int, dklen: int | None = None
    ) -> bytes:
        return stretch(name, bytes(password), bytes(salt), iterations, dklen)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashlib, "pbkdf2_hmac", remembered)
        yield
