"""The programs that are compared, each as the four commands that its user would type."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_SECRET = "a passphrase for measuring only"


class Peer(Protocol):
    """One program: how it makes a repository, backs up, restores and checks with all data read."""

    name: str
    env: dict[str, str]

    def init(self, repository: Path) -> list[str]: ...
    def backup(self, repository: Path, source: Path) -> list[str]: ...
    def restore(self, repository: Path, target: Path) -> list[str]: ...
    def check(self, repository: Path) -> list[str]: ...


@dataclass
class Strongroom:
    """Our own command, from the environment that runs the benchmark."""

    name: str = "strongroom"

    @property
    def env(self) -> dict[str, str]:
        return {"BACKUP_ENCRYPTION_KEY": _SECRET}

    def init(self, repository: Path) -> list[str]:
        return ["strongroom", "repo", "init", str(repository)]

    def backup(self, repository: Path, source: Path) -> list[str]:
        return ["strongroom", "repo", "backup", str(repository), str(source)]

    def restore(self, repository: Path, target: Path) -> list[str]:
        return ["strongroom", "repo", "restore", str(repository), "latest", str(target)]

    def check(self, repository: Path) -> list[str]:
        return ["strongroom", "repo", "check", str(repository), "--read-data"]


@dataclass
class Restic:
    """restic, at the zstd level nearest to 3 that it offers (its default)."""

    cache: Path
    name: str = "restic"

    @property
    def env(self) -> dict[str, str]:
        return {"RESTIC_PASSWORD": _SECRET, "RESTIC_CACHE_DIR": str(self.cache)}

    def _command(self, repository: Path, *words: str) -> list[str]:
        return ["restic", "--quiet", "--repo", str(repository), *words]

    def init(self, repository: Path) -> list[str]:
        return self._command(repository, "init")

    def backup(self, repository: Path, source: Path) -> list[str]:
        return self._command(repository, "backup", str(source))

    def restore(self, repository: Path, target: Path) -> list[str]:
        return self._command(repository, "restore", "latest", "--target", str(target))

    def check(self, repository: Path) -> list[str]:
        return self._command(repository, "check", "--read-data")


@dataclass
class Borg:
    """borg 1.4 with zstd 3 and its fastest authenticated encryption."""

    base: Path
    name: str = "borg"

    @property
    def env(self) -> dict[str, str]:
        return {
            "BORG_PASSPHRASE": _SECRET,
            "BORG_BASE_DIR": str(self.base),
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
        }

    def init(self, repository: Path) -> list[str]:
        return ["borg", "init", "--encryption", "repokey-blake2", str(repository)]

    def backup(self, repository: Path, source: Path) -> list[str]:
        archive = f"{repository}::{{now:%Y%m%d%H%M%S%f}}"
        return ["borg", "create", "--compression", "zstd,3", archive, str(source)]

    def restore(self, repository: Path, target: Path) -> list[str]:
        script = 'cd "$1" && exec borg extract "$2::$(borg list --last 1 --short "$2")"'
        return ["sh", "-c", script, "sh", str(target), str(repository)]

    def check(self, repository: Path) -> list[str]:
        return ["borg", "check", "--verify-data", str(repository)]


def available(scratch: Path) -> list[Peer]:
    """Our own program and those peers whose command is found."""
    candidates: list[Peer] = [Restic(scratch / "restic-cache"), Borg(scratch / "borg")]
    found = [peer for peer in candidates if shutil.which(peer.name)]
    return [Strongroom(), *found]


def version(peer: Peer) -> str:
    """What the program says of itself, one line."""
    words = [peer.name, "version"] if peer.name == "restic" else [peer.name, "--version"]
    answer = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    return answer.stdout.strip().splitlines()[0]
