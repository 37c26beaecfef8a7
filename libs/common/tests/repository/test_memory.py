"""Memory stays bounded, whatever the size of what is backed up."""

import subprocess
import sys
from pathlib import Path

from common.crypto.keys import WRITER_PREFIX, write_key
from vault import Vault

MIB = 1024**2
LARGE = 250 * MIB
MANY = 20_000
LIMIT = 200 * MIB

PEAK = """
import re
from pathlib import Path

def peak():
    # Not ru_maxrss: that begins with the peak of the process that started this one.
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
"""

WRITE = """
import io, random, sys, uuid
from common.repository.entry import Entry, EntryType
from common.repository.opening import open_writer
from common.repository.prepared import SnapshotMeta

class Noise(io.RawIOBase):
    left = int(sys.argv[2])
    def read(self, size=-1):
        size = min(size, self.left)
        self.left -= size
        return random.randbytes(size)

writer = open_writer(Path(sys.argv[1]), sys.stdin.read())
with writer.begin(uuid.uuid4()) as run:
    with run.component("files", "files") as sink:
        sink.add_stream(Entry(b"large", EntryType.FILE), Noise())
        for number in range(int(sys.argv[3])):
            path = b"folder/%09d" % number
            sink.add_stream(Entry(path, EntryType.FILE), io.BytesIO(path))
    run.finish(SnapshotMeta("b", "b", "chain")).commit(1, None)
print(peak())
"""

READ = """
import sys
sys.path.insert(0, sys.argv[2])
from vault import Vault
from common.crypto.hpke import PrivateKey
private, writer_key = (bytes.fromhex(line) for line in sys.stdin.read().split())
path = Path(sys.argv[1])
vault = Vault(path, (path / "config").read_bytes(), PrivateKey(private), writer_key)
reader = vault.reader()
(info,) = reader.snapshots()
source = reader.snapshot(info.id).source("files")
print(sum(len(piece) for _, _, piece in source.contents(source.entries())))
assert reader.check(read_data=True).ok
print(peak())
"""


def run(script: str, stdin: str, *arguments: object) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", PEAK + script, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        check=False,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


def test_memory_does_not_grow_with_what_is_backed_up(vault: Vault) -> None:
    """Else a large file or a large tree kills the worker, and with it every backup."""
    key = write_key(WRITER_PREFIX, vault.writer_key)
    (written,) = run(WRITE, key, vault.path, LARGE, MANY)
    assert written < LIMIT
    secrets = f"{vault.private.seed.hex()}\n{vault.writer_key.hex()}"
    size, read = run(READ, secrets, vault.path, Path(__file__).parents[4] / "tests")
    assert size == LARGE + MANY * len(b"folder/%09d" % 0)
    assert read < 1.5 * LIMIT
