"""Patterns of events, against the definition of AMQP's topics."""

import re

from hypothesis import given
from hypothesis import strategies as st

from common.bus.patterns import expression, matches

WORD = st.sampled_from(["backup", "completed", "a-b", "x"])
TYPE = st.lists(WORD, min_size=1, max_size=4)
PATTERN = st.lists(WORD | st.sampled_from(["*", "#"]), min_size=1, max_size=5)


def fits(pattern: list[str], words: list[str]) -> bool:
    """As the definition has it: ``*`` is one word, ``#`` is any number of words."""
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(fits(pattern[1:], words[skipped:]) for skipped in range(len(words) + 1))
    return bool(words) and pattern[0] in {"*", words[0]} and fits(pattern[1:], words[1:])


@given(pattern=PATTERN, words=TYPE)
def test_a_pattern_fits_what_it_fits_on_rabbitmq(pattern: list[str], words: list[str]) -> None:
    """Lost: events on the embedded bus that RabbitMQ would have delivered, or the reverse."""
    compiled = [re.compile(expression(".".join(pattern)))]
    assert matches(compiled, ".".join(words)) == fits(pattern, words)
