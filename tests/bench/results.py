"""What was measured, in a file: each set, and each other part, as of when it was measured last."""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_DECIDING = {"avx512f": "AVX-512", "sha_ni": "SHA instructions"}
"""What makes our hash faster, and what makes the peers': many processors go by the same name."""


class Results:
    """The file; every change is written at once, so that a run that is cut short loses little."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.document: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        self.document.setdefault("sets", {})

    def rounds(self, name: str, versions: list[str]) -> int:
        """How many rounds there are of a set with exactly these programs on this machine."""
        found = self.document["sets"].get(name)
        if not found or found["versions"] != versions or found["machine"] != machine():
            return 0
        return len(found["rounds"])

    def begin(self, name: str, versions: list[str]) -> None:
        """Forget what is known of a set."""
        self.document["sets"][name] = {
            "versions": versions, "machine": machine(), "measured": now(), "rounds": [],
        }  # fmt: skip

    def add(self, name: str, measured: dict[str, Any]) -> None:
        """Keep one more round of a set."""
        found = self.document["sets"][name]
        found["rounds"].append(measured)
        found["measured"] = now()
        self._write()

    def put(self, part: str, measured: dict[str, Any]) -> None:
        """Keep another part, instead of what it was before."""
        self.document[part] = {"machine": machine(), "measured": now(), **measured}
        self._write()

    def _write(self) -> None:
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(self.document, indent=1, sort_keys=True) + "\n")
        draft.replace(self._path)


def machine() -> str:
    """What it was measured on, in a line: the processor, and after the first comma the rest."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    about = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
    model, flags = about.get("model name", "?"), about.get("flags", "").split()
    deciding = " and ".join(name for flag, name in _DECIDING.items() if flag in flags)
    if deciding:
        model += f" with {deciding}"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"Linux {platform.release().partition('-')[0]}, Python {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB of memory, {system}"


def now() -> str:
    """The date, to the minute."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
