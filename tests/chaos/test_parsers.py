"""Mutated objects of every kind, resealed where they are sealed: one error, soon, in little memory.

``CHAOS=100`` for a long run; ``python -m chaos.fuzz`` lets atheris look for new paths.
"""

import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from chaos.giants import GIANTS
from chaos.mutation import mutated
from chaos.parsers import EVERYTHING, NAME, PARSERS, Parser
from chaos.settings import seeds
from common.errors import Corrupt, Invalid, WrongKey

MOST_SECONDS = 2.0
MOST_BYTES = 40 * 1024**2
"""A record of 16 MiB, once compressed and once not, and something for the rest."""


@pytest.fixture(autouse=True)
def _traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize("parser", PARSERS, ids=lambda each: str(each.name))
def test_hostile_bytes_are_refused_soon_and_cheaply(parser: Parser) -> None:
    """Lost: every service that reads, to one object made on purpose."""
    for good in parser.corpus:
        parser.read(good)
    refused = 0
    for seed in seeds(1_000):
        random = Random(f"{parser.name} {seed}")
        other = random.choice((*parser.corpus, *EVERYTHING))
        bad = mutated(random, random.choice(parser.corpus), other)
        refused += refuses(parser, bad, seed)
    assert refused


@pytest.mark.parametrize("name", GIANTS)
def test_what_promises_too_much_is_refused_soon_and_cheaply(name: str) -> None:
    """Lost: every service that reads, to a few bytes that say that they are many."""
    parser = next(each for each in PARSERS if each.name == name)
    accepted = 0
    for number, bad in enumerate(GIANTS[name]()):
        accepted += not refuses(parser, bad, number)
    assert not accepted or name in {"snapshot", "config", "run key"}  # unknown fields are ignored


def refuses(parser: Parser, bad: bytes, seed: int) -> bool:
    """Whether it was refused; fails when it took too much for that."""
    tracemalloc.reset_peak()
    before, begun = tracemalloc.get_traced_memory()[0], time.process_time()
    refused = False
    try:
        parser.read(bad)
    except (Corrupt, Invalid, WrongKey) as error:
        refused = True
        named = NAME in error.message
    except Exception as error:
        error.add_note(f"{parser.name}, seed {seed}: {bad[:500].hex()}")
        raise
    assert time.process_time() - begun < MOST_SECONDS, (seed, len(bad))
    assert tracemalloc.get_traced_memory()[1] - before < MOST_BYTES, (seed, len(bad))
    assert not refused or named or not parser.named, seed
    return refused


def test_the_fuzzer_begins() -> None:
    """Lost: the tool for new parsers, until somebody wants it."""
    words = [sys.executable, "-m", "chaos.fuzz", "no parser"]
    ended = subprocess.run(
        words, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False
    )
    assert ended.stderr.startswith("Name one of: "), ended.stderr
