"""Text as PostgreSQL can hold it."""

import re
from collections.abc import Mapping
from typing import Any

# What jsonb and text refuse: NUL, and halves of surrogate pairs.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

PRINTABLE = r"^[^\x00-\x1f\x7f]*$"


def storable(value: Any) -> Any:
    """The same value with every character that cannot be stored replaced.

    Workers tell of files whose names may hold anything; the event must not fail for that.
    """
    if isinstance(value, str):
        return _UNSTORABLE.sub(REPLACEMENT, value)
    if isinstance(value, Mapping):
        return {storable(key): storable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [storable(each) for each in value]
    return value
