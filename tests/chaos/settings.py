"""How long to go on: ``CHAOS=10`` makes ten times as many draws as continuous integration does."""

import os
import shutil
from pathlib import Path

FACTOR = float(os.environ.get("CHAOS", "1"))
FIRST_SEED = int(os.environ.get("CHAOS_SEED", "0"))
SHARED = Path("/dev/shm")
ROOM = 2 << 30


def seeds(count: int) -> range:
    """The seeds to try."""
    return range(FIRST_SEED, FIRST_SEED + max(1, round(count * FACTOR)))


def roomy() -> Path | None:
    """Where folders are in memory; None where that is not, or too small for several tests."""
    return SHARED if SHARED.is_dir() and shutil.disk_usage(SHARED).free > ROOM else None
