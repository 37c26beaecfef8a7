"""Whether a secret is strong enough to protect data. Judged by its text alone: no look-up."""

import re
from itertools import pairwise

from common.crypto.keys import RECOVERY_PREFIX, WRITER_PREFIX, Hidden

LEAST = 32
_FEWEST_CHARACTERS = 8
_MOST_REPEATED = 0.4
_MOST_STEPS = 0.5
_HEXADECIMAL = re.compile(r"(?:[0-9a-fA-F]{2})+", re.ASCII)
# What documents and examples put where a key belongs.
_PLACEHOLDER = re.compile(
    r"<.*>|.*change-?_?me.*|.*placeholder.*|example-.*|your[-_ ].*(key|salt|secret|password).*"
    r"|(production|development|test|backup|encryption)-.*key",
    re.IGNORECASE | re.DOTALL,
)


def listed(secret: Hidden | str) -> list[str]:
    """The keys of a setting that holds several, newest first, divided by commas."""
    text = secret if isinstance(secret, str) else secret.get_secret_value()
    return [part for part in (each.strip() for each in text.split(",")) if part]


def weakness(text: str, least: int = LEAST) -> str | None:
    """Why this secret is weak, without repeating any of it; None for a strong one.

    Hexadecimal digits count by what they stand for, everything else by its bytes.
    """
    if text.startswith((WRITER_PREFIX, RECOVERY_PREFIX)):
        return "it is a writer key or a recovery key, which others have"
    size = len(text) // 2 if _HEXADECIMAL.fullmatch(text) else len(text.encode())
    if _PLACEHOLDER.fullmatch(text):
        return "it is the placeholder of an example"
    if size < least:
        return f"it has {size} bytes, and {least} are the least"
    if len(set(text)) < _FEWEST_CHARACTERS:
        return "it consists of very few different characters"
    if _repeated(text) > _MOST_REPEATED:
        return "it repeats itself"
    return "it is a row of neighbouring characters" if _steps(text) > _MOST_STEPS else None


def _repeated(text: str) -> float:
    """The share of triples of characters that occurred before."""
    triples = [text[index : index + 3] for index in range(len(text) - 2)]
    return 1 - len(set(triples)) / max(len(triples), 1)


def _steps(text: str) -> float:
    """The share of characters that are their predecessor's neighbour in the alphabet, or itself."""
    pairs = [abs(ord(left) - ord(right)) <= 1 for left, right in pairwise(text)]
    return sum(pairs) / max(len(pairs), 1)
