"""Two writers and a prune, each a process of its own, at once in one repository."""

import json
import os
import subprocess
import sys
from pathlib import Path

from chaos.disk import read_tree
from chaos.orderly import small_packs
from chaos.scenarios import A, backup, forget
from chaos.settings import seeds
from chaos.world import Promise, create_at, fresh, tidy

TESTS = Path(__file__).parents[1]
PATIENCE = 60.0
JOBS = {
    "one": [("backup", "one-1", 60_000), ("backup", "one-2", 40_000), ("backup", "one-3", 9_000)],
    "two": [("backup", "two-1", 50_000), ("backup", "two-2", 30_000), ("forget", "two-1", 0)],
    "three": [("prune", "", 0), ("forget", "a", 0), ("prune", "", 0), ("prune", "", 0)],
}


def start(path: Path, name: str, seed: int) -> subprocess.Popen[bytes]:
    """An actor at work."""
    job = {"path": str(path), "seed": f"{seed} {name}", "steps": JOBS[name]}
    process = subprocess.Popen(
        [sys.executable, "-m", "chaos.actor"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=TESTS,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(job).encode())
    process.stdin.close()
    process.stdin = None
    return process


def test_writers_and_a_prune_at_once(memory: Path, config: bytes) -> None:
    """Lost: a backup whose packs a prune took away while it was made."""
    for seed in seeds(2):
        place = fresh(memory / "place")
        create_at(place, config)
        with small_packs():
            A.do(place)
            processes = [start(place, name, seed) for name in JOBS]
            try:
                for process in processes:
                    _, complaint = process.communicate(timeout=PATIENCE)
                    assert process.returncode == 0, f"seed {seed}: {complaint.decode()}"
            finally:
                for process in processes:
                    process.kill()
            made = [step for steps in JOBS.values() for step in steps if step[0] == "backup"]
            contents = {name: backup(name, size).files for _, name, size in made}
            promise = Promise(
                {"a": A.files, **contents},
                frozenset(contents.keys() - {"two-1"}),
                frozenset({"a", forget("two-1").name}),
            )
            promise.holds(place)
            tidy(place)
            promise.holds(place)
            assert not [path for path in read_tree(place) if path.startswith("tmp/")]
