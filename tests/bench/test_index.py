"""The measurement of the index: each way to hold it gives the right answers."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from bench import index


@pytest.mark.parametrize("kind", sorted(index.KINDS))
def test_each_kind_is_built_saved_and_looked_up(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the decision rests on figures of something that does not work."""
    if kind == "LMDB" and find_spec("lmdb") is None:
        pytest.skip("It is not installed.")
    monkeypatch.setattr(index, "_LOOKUPS", 100)
    assert index.build(kind, 3000, tmp_path).keys() == {"build", "memory", "hit", "miss"}
    assert ("load" in index.load(kind, 3000, tmp_path)) == (kind != "dict")
    kept = index.KINDS[kind](tmp_path)
    if kept.load():
        packed = index.packs(3000)
        assert kept.get(packed[2][-20:-4]) == 2
        assert kept.get(bytes(16)) is None
