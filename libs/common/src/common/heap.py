"""What the memory of a process is used for again, and how often garbage is looked for in it."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

_RARELY = 500_000
"""New objects between two looks, not counting those that are gone again: more than such work keeps,
so that it is not looked through again and again, and few enough to bound what cycles may hold.
Python's own 700 is for programs that keep little.
"""

_KEPT = 32 * 1024**2
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


@cache
def keep_large_blocks() -> None:
    """Have this process, and those forked from it, use freed memory again: up to 32 MiB of it.

    glibc gives blocks as large as records back to the kernel, which clears their pages anew for the
    next record. Where there is another C library, nothing happens.
    """
    from ctypes import CDLL  # noqa: PLC0415 - a backup that finds nothing new does without

    libc = CDLL(None)
    with suppress(AttributeError):
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT)
        libc.mallopt(_M_MMAP_THRESHOLD, _KEPT)


@contextmanager
def rare_collections() -> Iterator[None]:
    """For work that makes and keeps very many objects, none of them in cycles; what was there
    before is not looked at.
    """
    young, *older = gc.get_threshold()
    gc.set_threshold(_RARELY, *older)
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(young, *older)
