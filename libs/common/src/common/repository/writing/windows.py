"""Memory that content is cut in."""

WINDOW = 8 * 1024**2
_KEPT = 4
"""So many are in use at once where the chunks are of the usual size."""


class Windows:
    """Gives out memory, the same again once nobody looks at it any more.

    New memory is cleared first, which takes half as long as hashing what comes into it.
    Not for use by two threads at once; views may be dropped by any.
    """

    def __init__(self) -> None:
        self._kept: list[bytearray] = []

    def take(self, size: int) -> memoryview:
        """``size`` bytes, at most ``WINDOW``; whatever is in them. They stay the taker's as long
        as there is a view of them.
        """
        window = next(filter(_is_unused, self._kept), None)
        if window is None:
            window = bytearray(size)
            if size == WINDOW and len(self._kept) < _KEPT:
                self._kept.append(window)
        return memoryview(window)[:size]


def _is_unused(window: bytearray) -> bool:
    try:
        window.append(window.pop())  # refused while there is a view
    except BufferError:
        return False
    return True
