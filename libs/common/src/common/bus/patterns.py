"""Patterns of event types as in AMQP topics, for the transports that have to match them."""

import re

_WORDS = {"*": r"[^.]+\.", "#": r"([^.]+\.)*"}


def expression(pattern: str) -> str:
    """A regular expression for ``type + "."`` that PostgreSQL and Python read alike.

    ``*`` is one word, ``#`` any number of them.
    """
    words = (_WORDS.get(word, re.escape(word) + r"\.") for word in pattern.split("."))
    return f"^{''.join(words)}$"


def matches(patterns: list[re.Pattern[str]], event_type: str) -> bool:
    """Whether one of the compiled expressions fits."""
    return any(pattern.match(f"{event_type}.") for pattern in patterns)
