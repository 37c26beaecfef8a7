"""What Linux is asked for that Python's own library does not offer, and how much of it there is."""

import ctypes
import gc
import os
import signal

_PR_SET_PDEATHSIG = 1
_MOST_PROCESSORS = 4
"""More have not made anything here faster."""

_libc = ctypes.CDLL(None, use_errno=True)


def end_with_parent() -> None:
    """Have this process killed when the thread that started it ends: prctl(2), PR_SET_PDEATHSIG.

    One that has ended before is not noticed: compare ``os.getppid()`` afterwards.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def settle(parent: int) -> bool:
    """What a forked process begins with; whether its parent is still there.

    It is the parent that ends it, on Ctrl-C too.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent()
    gc.freeze()  # what was there before stays shared: the collector would write to all of it
    return os.getppid() == parent


def processors() -> int:
    """How many processes or threads are worth their while for one piece of work: 1 to 4."""
    return min(len(os.sched_getaffinity(0)), _MOST_PROCESSORS)
