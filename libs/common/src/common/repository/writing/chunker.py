"""Cutting content into chunks whose borders follow the content."""

import warnings
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from common.errors import Error
from common.repository.format.cutting import ChunkerParameters
from common.repository.writing.windows import WINDOW, Windows

Fill = Callable[[memoryview], int]
"""Fills a buffer from its start and says how much of it; 0 is the end."""


class SlowChunker(Error):
    """The native part of pyfastcdc is not there."""

    code = "slow_chunker"


class Chunker:
    """Cuts by one repository's parameters. Not for use by two threads at once.

    What does it is loaded for the first content that has to be cut.
    """

    def __init__(self, parameters: ChunkerParameters, seed: int) -> None:
        self._parameters = parameters
        self._seed = seed
        self._windows = Windows()
        self.whole = parameters.whole

    @cached_property
    def _cutter(self) -> Any:
        with warnings.catch_warnings():
            # The slow fallback announces itself by a warning; it is refused with a better one.
            warnings.simplefilter("ignore")
            from pyfastcdc import FastCDC  # noqa: PLC0415 - see above

        if not FastCDC.__module__.startswith("pyfastcdc.cy"):
            raise SlowChunker(remedy="Install the wheel of pyfastcdc for this platform.")
        return FastCDC(
            self._parameters.average,
            min_size=self._parameters.minimum,
            max_size=self._parameters.maximum,
            normalized_chunking=self._parameters.normalization,  # type: ignore[arg-type]
            seed=self._seed,
        )

    def cut(self, fill: Fill, expected: int = WINDOW) -> Iterator[memoryview]:
        """The chunks of what ``fill`` gives, in order. None is empty; each stays valid.

        ``expected`` is how many bytes there probably are: less memory is taken when it is small.

        Raises:
            SlowChunker: there is more to cut than one chunk, and nothing to do it fast.
        """
        size = min(expected + 1, WINDOW)
        rest = memoryview(b"")
        while True:
            window = self._windows.take(size)
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
