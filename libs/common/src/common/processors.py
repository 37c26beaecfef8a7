"""How much of this machine is worth using for one piece of work."""

import math
import os
from contextlib import suppress
from pathlib import Path, PurePosixPath

_MOST = 4
"""More have not made anything here faster."""

_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUP = Path("/proc/self/cgroup")


def processors() -> int:
    """How many processes or threads are worth their while for one piece of work: 1 to 4, and no
    more than this process may use by its affinity and by the quotas of its container (cgroup v2):
    more would only be stopped together, with the service beside them.
    """
    return max(1, min(len(os.sched_getaffinity(0)), _quota(), _MOST))


def _quota() -> int:
    """Processors that the groups around this process leave it, a part of one counted as one."""
    least = float(_MOST)
    with suppress(OSError, ValueError, ZeroDivisionError):  # no such limits here, or unknown ones
        _, _, own = _OWN_GROUP.read_text().partition("0::/")
        path = PurePosixPath(own.partition("\n")[0])
        for group in (path, *path.parents):
            with suppress(FileNotFoundError):  # the outermost has none
                quota, period = (_GROUPS / group / "cpu.max").read_text().split()
                if quota != "max":
                    least = min(least, int(quota) / int(period))
    return math.ceil(least)
