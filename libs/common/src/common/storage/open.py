"""From an address to a store. A new kind of destination is one more line in ``SCHEMES``."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from common.errors import Invalid
from common.storage.local_store import LocalStore
from common.storage.retrying import RetryingStore
from common.storage.store import ObjectStore
from common.storage.throttled import ThrottledStore


def open_store(url: str, *, bytes_per_second: int | None = None) -> ObjectStore:
    """The store at ``url``, with retries, and slowed down where asked. The caller closes it.

    Raises:
        Invalid: no such kind of destination. The address may hold a secret and is not repeated.
    """
    parts = urlsplit(url)
    scheme = SCHEMES.get(parts.scheme)
    if scheme is None:
        raise Invalid(
            f"There is no kind of destination {parts.scheme!r}.",
            remedy=f"Use one of: {', '.join(sorted(SCHEMES))}.",
        )
    store: ObjectStore = RetryingStore(scheme(parts))
    return ThrottledStore(store, bytes_per_second) if bytes_per_second else store


def _local(parts: SplitResult) -> ObjectStore:
    path = Path(unquote(parts.path))
    if parts.netloc not in {"", "localhost"} or not path.is_absolute():
        raise Invalid(
            "A destination in a folder needs its whole path.",
            remedy="Write it with three slashes: file:///mnt/second-disk.",
        )
    return LocalStore(path)


SCHEMES: dict[str, Callable[[SplitResult], ObjectStore]] = {
    "file": _local,
}
