"""A store that goes wrong on purpose, to test what is built on stores."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from random import Random

from common.errors import Unavailable
from common.storage.source import pieces_of, size_of
from common.storage.store import Bookmark, ObjectInfo, ObjectStore


class Fault(StrEnum):
    """How a call goes wrong.

    The last two concern puts alone and break the contract, as a bad disk or a bug does.
    """

    REFUSE = "refuse"
    """``Unavailable``, and nothing has happened; a stream or a list breaks off after its start."""
    LOSE_ANSWER = "lose_answer"
    """``Unavailable``, but it has happened."""
    DELAY = "delay"
    """It happens, later."""
    TEAR = "tear"
    """Only the first half of a put is stored, and it says that all went well."""
    LOSE = "lose"
    """Nothing of a put is stored, and it says that all went well."""


class FaultPlan:
    """Draws the fate of each call from a seed, so that a run can be repeated.

    ``rates`` are probabilities; ``drawn`` counts what was dealt out.
    """

    def __init__(self, seed: int, rates: Mapping[Fault, float], *, delay: float = 0.001) -> None:
        self.delay = delay
        self.drawn: Counter[Fault] = Counter()
        self._random = Random(seed)  # noqa: S311 - must be repeatable, not secret
        self._rates = rates

    def draw(self) -> Fault | None:
        """The fate of the next call; None lets it be."""
        value = self._random.random()
        for fault, rate in self._rates.items():
            if value < rate:
                self.drawn[fault] += 1
                return fault
            value -= rate
        return None


class FaultyStore:
    """``ObjectStore`` around another one, with the faults that ``plan`` deals out."""

    def __init__(self, inner: ObjectStore, plan: FaultPlan) -> None:
        self._inner = inner
        self._plan = plan

    async def prepare(self) -> None:
        await self._inner.prepare()

    async def put(
        self, name: str, source: bytes | Path, *, bookmark: Bookmark | None = None
    ) -> None:
        fault = await self._before()
        if fault is Fault.TEAR:
            half = b"".join(pieces_of(source))[: size_of(source) // 2]
            await self._inner.put(name, half)
        elif fault is not Fault.LOSE:
            await self._inner.put(name, source, bookmark=bookmark)
        _after(fault)

    async def get(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        fault = await self._before()
        content = await self._inner.get(name, offset, length)
        _after(fault)
        return content

    async def stream(self, name: str, offset: int = 0) -> AsyncIterator[bytes]:
        fault = self._plan.draw()
        async for piece in self._inner.stream(name, offset):
            yield piece
            _after(Fault.LOSE_ANSWER if fault is Fault.REFUSE else fault)

    async def stat(self, name: str) -> ObjectInfo:
        fault = await self._before()
        info = await self._inner.stat(name)
        _after(fault)
        return info

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        fault = self._plan.draw()
        async for info in self._inner.list(prefix):
            yield info
            _after(Fault.LOSE_ANSWER if fault is Fault.REFUSE else fault)

    async def delete(self, name: str) -> None:
        fault = await self._before()
        await self._inner.delete(name)
        _after(fault)

    async def sweep(self, before: datetime) -> int:
        return await self._inner.sweep(before)

    async def close(self) -> None:
        await self._inner.close()

    async def _before(self) -> Fault | None:
        fault = self._plan.draw()
        if fault is Fault.REFUSE:
            raise Unavailable("Refused on purpose.")
        if fault is Fault.DELAY:
            await asyncio.sleep(self._plan.delay)
        return fault


def _after(fault: Fault | None) -> None:
    if fault is Fault.LOSE_ANSWER:
        raise Unavailable("The answer was lost on purpose.")
