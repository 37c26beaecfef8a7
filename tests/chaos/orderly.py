"""Everything that makes two tellings of one story differ, made the same: chance, time, threads.

So a seed repeats a failure, and states that were looked at once need no second look.
"""

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Any, Self

import pytest

from common.crypto.hpke import PrivateKey, PublicKey
from common.repository.format import index
from common.repository.writing.threads import Threads

START = 4_000_000_000.0
"""Later than any file that is really written meanwhile: to a prune those are old."""

TICK = 0.001
REPOSITORY = "common.repository."
SIZES = {"PACK_SIZE": 12_000, "BUNDLE_SIZE": 5_000, "SEGMENT_SIZE": 300}


class Order:
    """Chance and time, both from a seed. Time goes on with every look at it."""

    def __init__(self) -> None:
        self._random = random.Random(0)
        self._names = random.Random(0)
        self._now = START

    def begin(self, minute: int, seed: object = 0) -> None:
        """Begin anew, so many minutes after the start of time."""
        self._random.seed(f"{minute} {seed}")
        self._names.seed(f"{minute} {seed}")
        self._now = START + 60 * minute

    def urandom(self, size: int) -> bytes:
        """As of ``os``."""
        return self._random.randbytes(size)

    def token_hex(self, size: int) -> str:
        """As of ``secrets``: names of unfinished objects, which are listed in their order."""
        return self._names.randbytes(size).hex()

    def time(self) -> float:
        """As of ``time``."""
        self._now += TICK
        return self._now


ORDER = Order()


class Dated(datetime):
    """A ``datetime`` whose now is that of ``ORDER``."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(ORDER.time(), tz)


class Inline:
    """Does everything at once, so that the order of calls depends on the seed alone."""

    most = 1

    def __init__(self, *_: object, **__: object) -> None:
        return

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as an executor does
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Nothing is left."""


class Told(list[Any]):
    """What ``inline`` work tells, in the place of a forked process' link."""

    tell = list.append


def inline(items: Sequence[Any], work: Callable[[Iterator[Any], Told], None]) -> Iterator[Any]:
    """All of them by this process, where calls are seen."""
    told = Told()
    work(iter(items), told)
    yield from told


class Impatient:
    """Time as locks see it: whoever waits has waited long enough."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        """Seconds."""
        return self._now

    def sleep(self, _seconds: float) -> None:
        """An hour goes by."""
        self._now += 3600


def everywhere(patch: pytest.MonkeyPatch, name: str, new: object, old: object = None) -> None:
    """Replace what modules of the repository call so, all of it or where it is ``old``."""
    modules = [each for key, each in sys.modules.items() if key.startswith(REPOSITORY)]
    named = [each for each in modules if name in vars(each)]
    found = [each for each in named if old is None or vars(each)[name] is old]
    assert found, f"nothing is called {name} any more"
    for module in found:
        patch.setattr(module, name, new)


@contextmanager
def small_packs() -> Iterator[None]:
    """Packs of some kilobytes, each listed at once."""
    with pytest.MonkeyPatch.context() as patch:
        for name, size in SIZES.items():
            everywhere(patch, name, size)
        yield


@contextmanager
def small_and_orderly() -> Iterator[None]:
    """Small packs, one thread of one process, chance and time from ``ORDER``, nobody who waits."""
    ORDER.begin(0)
    with small_packs(), pytest.MonkeyPatch.context() as patch:
        everywhere(patch, "Threads", Inline, Threads)
        everywhere(patch, "datetime", Dated, datetime)
        everywhere(patch, "spread", inline)
        patch.setattr("common.repository.index.levels._LARGEST", 2**22)
        patch.setattr("common.repository.index.levels._SMALLEST", 2**10)
        patch.setattr("common.repository.pruning.prune.time", ORDER)
        patch.setattr("common.repository.lock.time", Impatient())
        patch.setattr("os.urandom", ORDER.urandom)
        patch.setattr("secrets.token_hex", ORDER.token_hex)
        _compute_once(patch)
        yield


_wrap = lru_cache(4096)(PublicKey.wrap)
_unwrap = lru_cache(4096)(PrivateKey.unwrap)
_public = lru_cache(256)(PrivateKey.public.fget)  # type: ignore[attr-defined]  # of a property
_parse = lru_cache(4096)(index._parse)


def _compute_once(patch: pytest.MonkeyPatch) -> None:
    """What depends on its arguments alone; and wrapping, which has a source of chance within."""
    patch.setattr(PublicKey, "wrap", _wrap)
    patch.setattr(PrivateKey, "unwrap", _unwrap)
    patch.setattr(PrivateKey, "public", property(_public))
    patch.setattr(index, "_parse", _parse)
