"""The programs that are compared, each as the commands that its user would type."""

import base64
import hashlib
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bench.measure import Command

OURS = "strongroom"
_SECRET = base64.urlsafe_b64encode(hashlib.sha256(b"measuring").digest()).decode().rstrip("=")
"""A key as ``strongroom keys generate`` prints them; the peers stretch all texts alike."""


class Peer(Protocol):
    """One program: how it makes a repository, backs up, restores and checks with all data read.

    ``label`` names the backup where the program asks for a name.
    """

    @property
    def name(self) -> str: ...
    def init(self, repository: Path) -> Command: ...
    def backup(self, repository: Path, source: Path, label: str) -> Command: ...
    def restore(self, repository: Path, label: str, target: Path, sparse: bool) -> Command: ...
    def check(self, repository: Path) -> Command: ...


@dataclass(frozen=True)
class Strongroom:
    """Our own command, from the environment that runs the benchmark."""

    scratch: Path
    level: int = 3

    @property
    def name(self) -> str:
        return OURS if self.level == 3 else f"{OURS}, zstd {self.level}"

    def _command(self, *words: str) -> Command:
        env = {"BACKUP_ENCRYPTION_KEY": _SECRET, "XDG_CACHE_HOME": str(self.scratch / "cache")}
        return Command(["strongroom", "repo", *words], env)

    def init(self, repository: Path) -> Command:
        return self._command("init", str(repository))

    def backup(self, repository: Path, source: Path, label: str) -> Command:
        level = () if self.level == 3 else ("--level", str(self.level))
        return self._command("backup", str(repository), str(source), *level)

    def restore(self, repository: Path, label: str, target: Path, sparse: bool) -> Command:
        return self._command("restore", str(repository), "latest", str(target))

    def check(self, repository: Path) -> Command:
        return self._command("check", str(repository), "--read-data")


@dataclass(frozen=True)
class Restic:
    """restic as it comes: its compression ``auto`` is the zstd level nearest to 3 that it has."""

    scratch: Path
    name: str = "restic"

    def _command(self, repository: Path, *words: str) -> Command:
        env = {"RESTIC_PASSWORD": _SECRET, "RESTIC_CACHE_DIR": str(self.scratch / "restic-cache")}
        return Command(["restic", "--quiet", "--repo", str(repository), *words], env)

    def init(self, repository: Path) -> Command:
        return self._command(repository, "init")

    def backup(self, repository: Path, source: Path, label: str) -> Command:
        return self._command(repository, "backup", str(source))

    def restore(self, repository: Path, label: str, target: Path, sparse: bool) -> Command:
        options = ("--sparse",) if sparse else ()
        return self._command(repository, "restore", "latest", "--target", str(target), *options)

    def check(self, repository: Path) -> Command:
        return self._command(repository, "check", "--read-data")


@dataclass(frozen=True)
class Borg:
    """borg 1.4 with zstd 3 and its fastest authenticated encryption."""

    scratch: Path
    name: str = "borg"

    def _command(self, *words: str, cwd: Path | None = None) -> Command:
        env = {"BORG_PASSPHRASE": _SECRET, "BORG_BASE_DIR": str(self.scratch / "borg")}
        return Command(["borg", *words], env, cwd)

    def init(self, repository: Path) -> Command:
        return self._command("init", "--encryption", "repokey-blake2", str(repository))

    def backup(self, repository: Path, source: Path, label: str) -> Command:
        archive = f"{repository}::{label}"
        return self._command("create", "--compression", "zstd,3", archive, str(source))

    def restore(self, repository: Path, label: str, target: Path, sparse: bool) -> Command:
        options = ("--sparse",) if sparse else ()
        return self._command("extract", *options, f"{repository}::{label}", cwd=target)

    def check(self, repository: Path) -> Command:
        return self._command("check", "--verify-data", str(repository))


@dataclass(frozen=True)
class Kopia:
    """Kopia with zstd. Without its caches, which a repository on a local disk does not need: to
    fill them makes a restore longer, and ``verify`` then reads them instead of the repository.
    """

    scratch: Path
    name: str = "kopia"
    _sources: dict[Path, Path] = field(default_factory=dict)
    """What was backed up to each repository: the newest backup of that is restored."""

    def _command(self, repository: Path, *words: str) -> Command:
        env = {
            "KOPIA_PASSWORD": _SECRET,
            "KOPIA_CONFIG_PATH": str(repository.with_suffix(".config")),
            "KOPIA_LOG_DIR": str(self.scratch / "kopia-logs"),
            "KOPIA_CHECK_FOR_UPDATES": "false",
        }
        return Command(["kopia", "--no-progress", *words], env)

    def init(self, repository: Path) -> Command:
        repository.mkdir()
        create = self._command(
            repository, "repository", "create", "filesystem", "--path", str(repository),
            "--content-cache-size-mb=0", "--metadata-cache-size-mb=0",
        )  # fmt: skip
        script = '"$@" && exec kopia policy set --global --compression=zstd'
        return Command(["sh", "-c", script, "sh", *create.words], create.env)

    def backup(self, repository: Path, source: Path, label: str) -> Command:
        self._sources[repository] = source
        return self._command(repository, "snapshot", "create", str(source))

    def restore(self, repository: Path, label: str, target: Path, sparse: bool) -> Command:
        options = ("--write-sparse-files",) if sparse else ()
        source = str(self._sources[repository])
        return self._command(repository, "snapshot", "restore", *options, source, str(target))

    def check(self, repository: Path) -> Command:
        return self._command(repository, "snapshot", "verify", "--verify-files-percent=100")


def available(scratch: Path) -> list[Peer]:
    """Our own program and those peers whose command is found."""
    candidates: list[Peer] = [Restic(scratch), Borg(scratch), Kopia(scratch)]
    return [Strongroom(scratch), *(peer for peer in candidates if shutil.which(peer.name))]


def version(peer: Peer) -> str:
    """What the program says of itself, one line."""
    if peer.name.startswith(OURS):
        return f"{OURS} at {_commit()}"
    words = [peer.name, "version"] if peer.name == "restic" else [peer.name, "--version"]
    said = _said(words).removeprefix(peer.name).split()
    return f"{peer.name} {said[0]}"


def _commit() -> str:
    """Of the sources that are measured; a plus stands for changes that are not committed."""
    git = ["git", "-C", str(Path(__file__).parents[2])]
    changed = _said([*git, "status", "--porcelain", "--", "libs", "services"])
    return _said([*git, "rev-parse", "--short=10", "HEAD"]) + ("+" if changed else "")


def _said(words: list[str]) -> str:
    answer = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    return answer.stdout.strip()
