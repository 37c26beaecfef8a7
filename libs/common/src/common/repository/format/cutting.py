"""The parameters that content is cut by, as ``config`` keeps them."""

from typing import NamedTuple

from common.errors import Corrupt

_BOUNDS = ((64, 2**20), (256, 2**22), (1024, 2**23), (0, 3), (1, 2**23))


class ChunkerParameters(NamedTuple):
    """Where chunks end. Files of up to ``whole`` bytes are one chunk."""

    minimum: int = 256 * 1024
    average: int = 1024 * 1024
    maximum: int = 4 * 1024 * 1024
    normalization: int = 1
    whole: int = 256 * 1024

    def check(self) -> None:
        """Refuse parameters that this version cannot cut by."""
        sizes = (self.minimum, self.average, self.maximum)
        possible = all(
            low <= value <= high
            for value, (low, high) in zip(
                (*sizes, self.normalization, self.whole), _BOUNDS, strict=True
            )
        )
        if not possible or sorted(sizes) != list(sizes):
            raise Corrupt("config has chunker parameters that are not understood.")
