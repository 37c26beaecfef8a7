"""What the figures rest on: the same data everywhere, all processes counted, honest tables."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench import bars, chart, compare, datasets, report
from bench.measure import Command

_CHILD = """
import sys, time
from pathlib import Path
held = bytearray(b"x" * 40_000_000)
time.sleep(0.3)
while not Path(sys.argv[1]).exists():
    time.sleep(0.01)
"""
_PARENT = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', *sys.argv[1:]])"
# What is being measured ends only when its memory has been looked at; nobody waits for the disk.
_MEASURE = """
import json, os, sys
from pathlib import Path
from bench import measure
from bench.measure import Command, MeasuredCommandFailed, run
look = measure._proportional_memory
def looked(process):
    found = look(process)
    if found > 40:
        Path(sys.argv[-1]).touch()
    return found
measure._proportional_memory, os.sync = looked, lambda: None
try:
    cost = run(Command(sys.argv[2:]), timeout=float(sys.argv[1]))
    print(json.dumps([cost.wall, cost.cpu, cost.memory]))
except MeasuredCommandFailed:
    print("[]")
"""


def _digest(tree: Path) -> str:
    files = sorted(path for path in tree.rglob("*") if path.is_file())
    whole = hashlib.sha256()
    for path in files:
        whole.update(str(path.relative_to(tree)).encode() + path.read_bytes())
    return whole.hexdigest()


def test_the_data_is_the_same_everywhere(tmp_path: Path) -> None:
    """Lost: figures of two machines that can be compared."""
    datasets.mixed(tmp_path, 0.002)
    datasets.mixed_changed(tmp_path)
    assert _digest(tmp_path).startswith("8623d47d9b411ada")


def _measured(timeout: float, *command: str) -> list[float]:
    """Wall, CPU and memory, measured by a process of its own: it waits for all its children."""
    words = [sys.executable, "-c", _MEASURE, str(timeout), *command]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(words, env=env, capture_output=True, timeout=120, check=True)
    found: list[float] = json.loads(done.stdout)
    return found


def test_every_process_of_a_command_is_counted(tmp_path: Path) -> None:
    """Lost: the memory and time of workers, so that many processes would look cheap."""
    command = (sys.executable, "-c", _PARENT, _CHILD, str(tmp_path / "looked at"))
    wall, cpu, memory = _measured(60, *command)
    assert wall > 0.3
    assert cpu > 0
    assert memory > 40


def test_the_end_of_a_command_is_seen_at_once() -> None:
    """Lost: true figures of short commands. Looked at every 50 ms, 0.17 s would count as 0.21."""
    assert min(_measured(60, "sleep", "0.17")[0] for _ in range(5)) < 0.2


def test_a_command_that_does_not_end_is_ended() -> None:
    """Lost: a benchmark that ends by itself."""
    assert _measured(0.2, "sleep", "60") == []


def test_a_restore_to_the_disk_ends_when_it_is_there(tmp_path: Path) -> None:
    """Lost: the same work for all; or a failure that counts as a fast restore."""
    place, told = tmp_path / "place", tmp_path / "told"
    fake = tmp_path / "sync"
    fake.write_text(f'#!/bin/sh\nls "$2" > {told}\n')
    fake.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for ends in (0, 3):
        place.mkdir(exist_ok=True)
        script = f"touch 'it is written'; exit {ends}"
        command = compare.durable(Command(["sh", "-c", script], env, place), place)
        done = subprocess.run(command.words, env=command.env, cwd=command.cwd, check=False)
        assert done.returncode == ends
        seen = told.read_text() if told.exists() else ""
        assert seen == ("it is written\n" if ends == 0 else "")
        told.unlink(missing_ok=True)


def _found(ours: float) -> dict[str, Any]:
    def cost(wall: float) -> dict[str, float]:
        return {"wall": wall, "cpu": wall, "memory": 100.0, "others": 0.0}

    walls = {"strongroom": cost(ours), "restic": cost(10.0), "borg": cost(20.0)}
    sizes = {"strongroom": 90, "restic": 100, "borg": 110}
    one = {"costs": {"first": walls}, "sizes": sizes, "data": {"files": 1, "bytes": 100}}
    return {"rounds": [one], "versions": ["v"], "machine": "m", "measured": "now"}


def test_a_missed_bar_is_told(tmp_path: Path) -> None:
    """Lost: the honesty of the document."""
    good, bad = bars.Measured("dump", _found(5.0)), bars.Measured("dump", _found(5.1))
    assert list(bars.missed(good)) == []
    (told,) = bars.missed(bad)
    assert told.startswith("dump, first: 0.51 of the faster peer")
    assert "misses the bar" in chart.draw([bad])
    document = tmp_path / "performance.md"
    names = ("machine", "verdict", "sets", "levels")
    marks = "\n".join(f"<!-- measured: {name} -->\n<!-- end: {name} -->" for name in names)
    document.write_text(f"before\n{marks}\nafter")
    report.renew(document, {"sets": {"dump": _found(5.1)}})
    text = document.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter")
    assert "| **0.51** |" in text


def test_a_peer_that_sets_no_bar_is_shown_beside_those_that_do() -> None:
    """Lost: the bar that was set; or a peer that is faster than ours, left out of the document."""
    found = _found(5.0)
    (one,) = found["rounds"]
    one["costs"]["first"]["kopia"] = one["costs"]["first"]["restic"] | {"wall": 4.0}
    one["sizes"]["kopia"] = 50
    measured = bars.Measured("dump", found)
    assert list(bars.missed(measured)) == []
    assert (measured.wall_ratio("first"), measured.wall_ratio_to("kopia", "first")) == (0.5, 1.25)
    table = "\n".join(report.tables(measured))
    assert "to kopia" in table
    assert "| 1.25 |" in table
