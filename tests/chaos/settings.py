"""How long to go on: ``CHAOS=10`` makes ten times as many draws as continuous integration does."""

import os

FACTOR = float(os.environ.get("CHAOS", "1"))
FIRST_SEED = int(os.environ.get("CHAOS_SEED", "0"))


def seeds(count: int) -> range:
    """The seeds to try."""
    return range(FIRST_SEED, FIRST_SEED + max(1, round(count * FACTOR)))
