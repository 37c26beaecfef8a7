"""What Linux is asked for that Python's own library does not offer."""

import ctypes
import gc
import os
import signal

_PR_SET_PDEATHSIG = 1

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
