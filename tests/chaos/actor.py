"""A process that works in a repository with pauses drawn from a seed: ``python -m chaos.actor``.

It reads ``{"path", "seed", "steps": [[kind, name, size], ...]}`` from its standard input.
"""

import json
import sys
import time
from pathlib import Path
from random import Random

from chaos.calls import Call, watched
from chaos.orderly import small_packs
from chaos.scenarios import backup
from chaos.world import Step
from common.errors import Conflict

LONGEST_PAUSE = 0.004
ATTEMPTS = 20


class Pausing:
    """Sleeps before some calls."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)

    def before(self, _call: Call) -> None:
        if self._random.random() < 0.3:
            time.sleep(self._random.random() * LONGEST_PAUSE)

    def after(self, call: Call) -> None:
        return


def do(step: Step, path: Path) -> None:
    """Do it, again where others were in the way: each says so, and nothing else."""
    for _ in range(ATTEMPTS):
        try:
            step.do(path)
        except Conflict:
            continue
        return
    raise SystemExit("There was no end of conflicts.")


def main() -> None:
    """Do all steps."""
    job = json.load(sys.stdin)
    path = Path(job["path"])
    with small_packs(), watched(path, Pausing(job["seed"])):
        for kind, name, size in job["steps"]:
            do(backup(name, size) if kind == "backup" else Step(kind, name), path)


if __name__ == "__main__":
    main()
