"""How often Python looks for garbage in cycles."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_RARELY = 20_000
"""New objects between two looks: Python's own 700 is for programs that keep little."""


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
