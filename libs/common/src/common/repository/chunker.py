"""Cutting content into chunks whose borders follow the content."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

from common.errors import Error
from common.repository.format.config import ChunkerParameters

with warnings.catch_warnings():
    # The slow fallback announces itself by a warning; it is refused below with a better one.
    warnings.simplefilter("ignore")
    import pyfastcdc

WINDOW = 8 * 1024**2

Fill = Callable[[memoryview], int]
"""Fills a buffer from its start and says how much of it; 0 is the end."""


class SlowChunker(Error):
    """The native part of pyfastcdc is not there."""

    code = "slow_chunker"


class Chunker:
    """Cuts by one repository's parameters. Not for use by two threads at once."""

    def __init__(self, parameters: ChunkerParameters, seed: int) -> None:
        if not pyfastcdc.FastCDC.__module__.startswith("pyfastcdc.cy"):
            raise SlowChunker(remedy="Install the wheel of pyfastcdc for this platform.")
        self._parameters = parameters
        self.whole = parameters.whole
        self._cutter: Any = pyfastcdc.FastCDC(
            parameters.average,
            min_size=parameters.minimum,
            max_size=parameters.maximum,
            normalized_chunking=parameters.normalization,  # type: ignore[arg-type]
            seed=seed,
        )

    def cut(self, fill: Fill, expected: int = WINDOW) -> Iterator[memoryview]:
        """The chunks of what ``fill`` gives, in order. None is empty; each stays valid.

        ``expected`` is how many bytes there probably are: less memory is taken when it is small.
        """
        size = min(expected + 1, WINDOW)
        rest = memoryview(b"")
        while True:
            window = memoryview(bytearray(size))
            window[: len(rest)] = rest
            filled = len(rest) + _fill(fill, window[len(rest) :])
            ended = filled < size
            size = WINDOW
            if not filled:
                return
            if ended and filled <= self._parameters.whole:
                yield window[:filled]
                return
            place = 0
            for chunk in self._cutter.cut_buf(window[:filled]):
                end = place + chunk.length
                # The border at the end of a window is none of the content's.
                if end == filled and not ended and chunk.length < self._parameters.maximum:
                    break
                yield window[place:end]
                place = end
            rest = window[place:filled]
            if ended:
                return


def _fill(fill: Fill, view: memoryview) -> int:
    done = 0
    while done < len(view) and (count := fill(view[done:])):
        done += count
    return done
