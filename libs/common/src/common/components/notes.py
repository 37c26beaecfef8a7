"""What a restore has to tell, told briefly: a million files may share one reason."""

import errno
from collections import defaultdict
from collections.abc import Iterator

from common.components.names import show
from common.errors import NoSpace

SHOWN = 10
FULL = {errno.ENOSPC, errno.EDQUOT}


class Notes:
    """Collects paths by what there is to say of them."""

    def __init__(self) -> None:
        self._paths: defaultdict[str, list[bytes]] = defaultdict(list)
        self._counts: defaultdict[str, int] = defaultdict(int)

    def __bool__(self) -> bool:
        return bool(self._counts)

    def add(self, what: str, path: bytes) -> None:
        """Say ``what`` of ``path``."""
        self._counts[what] += 1
        if self._counts[what] <= SHOWN:
            self._paths[what].append(path)

    def merge(self, other: "Notes") -> None:
        """Say all that another one says."""
        for what, count, named in other.all():
            paths = self._paths[what]
            paths += named[: SHOWN - len(paths)]
            self._counts[what] += count

    def all(self) -> Iterator[tuple[str, int, list[bytes]]]:
        """What is said, of how many paths, and some of these."""
        for what, count in self._counts.items():
            yield what, count, self._paths[what]

    def lines(self) -> tuple[str, ...]:
        """One sentence for each thing said."""
        return tuple(self._line(what) for what in self._counts)

    def _line(self, what: str) -> str:
        named = ", ".join(show(path) or "/" for path in self._paths[what])
        more = self._counts[what] - len(self._paths[what])
        return f"{what}: {named}" + (f" and {more} more" if more else "")


def raise_if_full(error: OSError, where: str) -> None:
    """Stop at once when the disk is full; whatever comes next would fail the same way.

    Raises:
        NoSpace: it is, or the quota is used up.
    """
    if error.errno in FULL:
        raise NoSpace(
            f"The disk is full at {where}.", remedy="Free space there, then restore again."
        ) from error
