"""Cutting: nothing is lost, the same content is cut the same way, and a change stays local."""

import subprocess
import sys

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from common.repository.format.cutting import ChunkerParameters
from common.repository.writing import chunker as chunker_module
from common.repository.writing import windows as windows_module
from common.repository.writing.chunker import Chunker, Fill
from vault import SMALL, noise


def filler(content: bytes, step: int = 2**30) -> Fill:
    """Gives the content in pieces of at most ``step`` bytes."""
    place = 0

    def fill(view: memoryview) -> int:
        nonlocal place
        piece = content[place : place + min(len(view), step)]
        view[: len(piece)] = piece
        place += len(piece)
        return len(piece)

    return fill


def cut(content: bytes, expected: int = 1000, seed: int = 5, step: int = 2**30) -> list[bytes]:
    return [bytes(c) for c in Chunker(SMALL, seed).cut(filler(content, step), expected)]


@settings(max_examples=50)
@given(st.integers(0, 400_000), st.integers(0, 500_000), st.integers(1, 70_000))
def test_chunks_are_the_content_however_it_arrives(size: int, expected: int, step: int) -> None:
    """Else data is lost, or a slow pipe costs all deduplication."""
    content = noise(size, size)
    chunks = cut(content, expected, step=step)
    assert b"".join(chunks) == content
    assert chunks == cut(content, size)
    assert all(0 < len(chunk) <= SMALL.maximum for chunk in chunks)


def test_windows_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else borders depend on how much is read at once."""
    content = noise(2_000_000)
    whole = cut(content)
    for module in (chunker_module, windows_module):
        monkeypatch.setattr(module, "WINDOW", 100_000)
    assert cut(content) == whole


@pytest.mark.parametrize("content", [bytes(3_000_000), b"ab" * 500_000, noise(100) * 10_000])
def test_uniform_content_is_cut_at_the_largest_size(content: bytes) -> None:
    """Else a disk image of zeros hangs the backup or makes a chunk without end."""
    chunks = cut(content)
    assert b"".join(chunks) == content
    assert max(map(len, chunks)) <= SMALL.maximum


def test_an_insertion_changes_the_chunks_near_it_only() -> None:
    """Else one byte at the front of a dump costs a full backup."""
    content = noise(2_000_000)
    before = {blake3(chunk).digest() for chunk in cut(content)}
    after = [blake3(chunk).digest() for chunk in cut(b"inserted" + content)]
    assert sum(chunk not in before for chunk in after) <= 3


def test_borders_depend_on_the_seed() -> None:
    """Else borders tell an attacker which files are stored."""
    content = noise(500_000)
    assert [len(c) for c in cut(content)] != [len(c) for c in cut(content, seed=6)]


def test_short_content_is_one_chunk() -> None:
    """Else small files are cut in two and cost twice."""
    parameters = ChunkerParameters()
    content = noise(parameters.whole)
    assert len(list(Chunker(parameters, 1).cut(filler(content), len(content)))) == 1


FALLBACK = """
import sys
sys.modules["pyfastcdc.cy"] = None
from common.repository.writing.chunker import Chunker, SlowChunker
from common.repository.format.cutting import ChunkerParameters
try:
    list(Chunker(ChunkerParameters(), 1).cut(lambda view: len(view)))
except SlowChunker as error:
    print(error)
"""


def test_the_slow_fallback_is_refused() -> None:
    """Else a missing wheel makes backups a hundred times slower and nobody knows why."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FALLBACK],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    assert "pyfastcdc" in done.stdout
