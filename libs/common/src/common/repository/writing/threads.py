"""Threads for what is done beside a run: compressing, and making packs durable."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """At most so many, as an executor has them; it is made, and loaded, for the first work only.

    Most backups find next to nothing that is new.
    """

    def __init__(self, most: int, name: str) -> None:
        self.most = most
        self._name = name
        self._pool: ThreadPoolExecutor | None = None

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Have this done by one of them; for one thread to call."""
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - see above

            self._pool = ThreadPoolExecutor(self.most, self._name)
        return self._pool.submit(work, *args, **kwargs)

    def close(self) -> None:
        """Wait for what is at work, drop what is not, and end them."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
