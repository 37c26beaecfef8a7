"""How much of this machine is worth using for one piece of work."""

import os

_MOST = 4
"""More have not made anything here faster."""


def processors() -> int:
    """How many processes or threads are worth their while for one piece of work: 1 to 4."""
    return min(len(os.sched_getaffinity(0)), _MOST)
