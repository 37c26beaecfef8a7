"""What the machine itself allows: the plain read of a tree, and a pipe of the fastest programs.

The pipe compresses and encrypts as a backup does, and neither cuts, compares nor lists anything.
"""

from pathlib import Path

from bench.measure import Command

READ = "tar, only read"
PIPE = "tar, zstd -3 -T2, openssl aes-256-ctr"

_PIPE = (
    'set -o pipefail; tar -C "$1" -cf - . | zstd -q -3 -T2 -c'
    ' | openssl enc -aes-256-ctr -K "$3" -iv "${3:32}" -out "$2" && sync "$2"'
)


def read(source: Path) -> Command:
    """Read every byte of a tree, by one thread."""
    return Command(["sh", "-c", 'tar -C "$1" -cf - . | cat >/dev/null', "sh", str(source)])


def pipe(source: Path, target: Path) -> Command:
    """Compress and encrypt a tree into one durable file."""
    return Command(["bash", "-c", _PIPE, "bash", str(source), str(target), "5a" * 32])
