"""What a check reports."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

_MOST_PATHS = 20

FindingKind = Literal["missing", "damaged", "removed", "forked", "rolled back", "unlisted"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong: with which object, in which way, and what of which backups it affects."""

    object: str
    kind: FindingKind
    message: str
    affects: tuple[str, ...] = ()

    def __str__(self) -> str:
        """For people."""
        affects = f" Affects: {'; '.join(self.affects)}." if self.affects else ""
        return f"{self.message}{affects}"


def told(findings: Sequence[Finding]) -> Iterator[str]:
    """A line for each, for people. Chunks that affect the same share one: a pack has thousands."""
    chunks: dict[tuple[str, ...], list[Finding]] = {}
    for each in findings:
        if each.object.startswith("chunk "):
            chunks.setdefault(each.affects, []).append(each)
        else:
            yield str(each)
    for first, *others in chunks.values():
        yield f"{first} Likewise {len(others)} more." if others else str(first)


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All findings, how many objects were looked at, and how many bytes were read."""

    findings: tuple[Finding, ...]
    objects: int
    read_bytes: int

    @property
    def ok(self) -> bool:
        """Whether all is well."""
        return not self.findings


class Findings:
    """Collects findings and what they affect, object by object."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[FindingKind, str]] = {}
        self._affected: dict[str, dict[str, list[str]]] = {}
        self._counts: dict[tuple[str, str], int] = {}

    def add(self, name: str, kind: FindingKind, message: str, affects: Iterable[str] = ()) -> None:
        """Note a finding; the first about an object stays."""
        self._found.setdefault(name, (kind, message))
        for affected in affects:
            self._affected.setdefault(name, {}).setdefault(affected, [])

    def affect(self, name: str, where: str, path: str = "") -> None:
        """Note that the finding about an object touches a component, or a path in it."""
        paths = self._affected.setdefault(name, {}).setdefault(where, [])
        if not path or path in paths[-1:]:
            return
        self._counts[name, where] = self._counts.get((name, where), 0) + 1
        if len(paths) < _MOST_PATHS:
            paths.append(path)

    def spare(self, name: str, reason: str) -> None:
        """Note why the finding about an object affects nothing, if it does affect nothing."""
        if not self._affected.get(name):
            self.affect(name, reason)

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def all(self) -> tuple[Finding, ...]:
        """The findings, in the order of the objects' names."""
        return tuple(
            Finding(name, kind, message, tuple(self._affects(name)))
            for name, (kind, message) in sorted(self._found.items())
        )

    def _affects(self, name: str) -> Iterable[str]:
        for where, paths in self._affected.get(name, {}).items():
            if not paths:
                yield where
                continue
            more = self._counts[name, where] - len(paths)
            yield f"{where}: {', '.join(paths)}" + (f" and {more} more" if more > 0 else "")
