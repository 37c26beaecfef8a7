"""The memory and the files of a worker at work, searched for anything that opens a past backup."""

import base64
import os
import re
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from common.childprocess.parent import Limits, spawn
from common.crypto.aead import NumberedSeal
from common.crypto.kdf import derive
from common.crypto.keys import WRITER_PREFIX, PassphraseProvider, write_key
from common.errors import Corrupt
from common.repository.format.pack import _LAST, HEADER_SIZE, TRAILER_SIZE, PackHeader
from vault import KEY, Vault, make_keys

TEXT = b"a file of an old backup, and nothing that is in a new one\n"
MANY = 18_000
LINES = 1_500
PATIENCE = 60.0
HIGH = np.uint64(0x8080808080808080)


@pytest.fixture
def vault(memory: Path) -> Vault:
    """A repository with two past backups; its keys are the same every day, and look random."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.urandom", Random(0).randbytes)
        vault = Vault(memory / "repository", *make_keys())
        for name in ("one", "two"):
            vault.backup({b"old": TEXT * 50 + name.encode()}, name)
    return vault


@pytest.fixture
def spec(vault: Vault, memory: Path) -> dict[str, Any]:
    """What the service tells the process that captures."""
    source = memory / "source"
    source.mkdir()
    for number in range(MANY):
        (source / f"{number}").write_text(f"{number} of {MANY}\n" * LINES)
    components = memory / "components.toml"
    components.write_text(f'[components.files]\nkind = "files"\npaths = ["{source}"]\n')
    names = ("backup_id", "backup_name", "station", "plan", "chain")
    return {
        **dict.fromkeys(names, "new"),
        "repository": str(vault.path),
        "config": None,
        "writer_key": write_key(WRITER_PREFIX, vault.writer_key),
        "components_file": str(components),
        "components": ["files"],
        "run_id": str(uuid4()),
        "cache": str(memory / "cache"),
        "reread": False,
        "processes": 2,
        "compression_type": "zstd",
        "compression_level": 3,
        "backup_type": "full",
        "created": datetime.now(UTC).isoformat(),
    }


def readers_of(process: int) -> list[int]:
    """The processes that it has started; none when it has ended."""
    return [
        int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ]


def dump(process: int) -> bytes:
    """Everything that a process can write to and that is its alone."""
    found = []
    with Path(f"/proc/{process}/mem").open("rb", 0) as file:
        for line in Path(f"/proc/{process}/maps").read_text().splitlines():
            area = re.match(r"(\w+)-(\w+) rw-p", line)
            if area is None:
                continue
            start, end = (int(part, 16) for part in area.groups())
            file.seek(start)
            found.append(file.read(end - start))
    return b"".join(found)


def in_files(folder: Path) -> Iterator[bytes]:
    """What stands in files, at each of the eight ways in which a key may be aligned."""
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            yield from (data[shift:] for shift in range(8))


def keys_in(memory: bytes) -> Iterator[bytes]:
    """All 32 bytes at a multiple of 8 that may be a key: random ones are no text and no addresses.

    Of a random key's bytes, one in 10^5 has less than 5 or more than 27 above 127.
    """
    words = np.frombuffer(memory[: len(memory) // 8 * 8], "<u8")
    high = np.bitwise_count(words & HIGH).astype(np.uint8)
    top = words >> np.uint64(48)
    plain = (top == 0) | (top == 0xFFFF)
    windows = len(words) - 3
    count = sum(high[at : at + windows] for at in range(4))
    odd = plain[:windows] | plain[1 : windows + 1] | plain[2 : windows + 2] | plain[3:]
    for at in np.flatnonzero((count >= 5) & (count <= 27) & ~odd):
        yield memory[at * 8 : at * 8 + 32]


class Trial:
    """Tries keys on a past pack, as a run key and as the pack's own."""

    def __init__(self, vault: Vault) -> None:
        pack = min(vault.session().catalog().packs, key=lambda each: each.size)
        data = (vault.path / pack.name).read_bytes()
        self.header = PackHeader.parse(data, pack.name)
        self._context = data[:HEADER_SIZE] + b"\1"
        self._directory = data[pack.directory.offsets()[-1] : -TRAILER_SIZE]

    def opens(self, key: bytes) -> bool:
        """Whether it does."""
        for each in (key, derive(key, "strongroom/v1/pack", self.header.salt)):
            try:
                NumberedSeal(each).open(_LAST, self._directory, self._context)
            except Corrupt:
                continue
            return True
        return False

    def finds(self, memories: Iterable[bytes]) -> bool:
        """Whether any of them holds a key that opens it."""
        tried: set[bytes] = set()
        for memory in memories:
            tried.update(keys_in(memory))
        return any(map(self.opens, tried))


def secrets_of(vault: Vault) -> dict[str, bytes]:
    """Everything that opens a past backup, and what was in it."""
    session = vault.session()
    provider = PassphraseProvider.found(KEY, session.config.sealing)
    found = {"private": vault.private.seed, "kek": provider._key, "phrase": KEY.encode()}
    ring = vault.reader().keyring()
    for pack in session.catalog().packs:
        header = PackHeader.parse((vault.path / pack.name).read_bytes(), pack.name)
        found[f"run {pack.key_id.hex()}"] = run_key = ring.get(pack.key_id).key
        found[f"pack {pack.name}"] = derive(run_key, "strongroom/v1/pack", header.salt)
    return {**found, "content": TEXT}


class Seen(Exception):
    """What was seen of a worker, which may end now."""

    def __init__(self, memories: list[bytes]) -> None:
        super().__init__()
        self.memories = memories


def is_writing(process: int) -> bool:
    """Whether a process that was started to read has a pack open that it writes."""
    place = Path(f"/proc/{process}")
    with suppress(FileNotFoundError):  # closed, or ended, since
        if b"reader_process" not in (place / "cmdline").read_bytes():
            return False  # a fork yet, with the files of the one that it came from
        return any("/repository/tmp/" in str(each.readlink()) for each in (place / "fd").iterdir())
    return False


def stop_reader_of(worker: int) -> int:
    """Stop a process that reads for a worker, in the middle of a pack."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for process in readers_of(worker):
            if is_writing(process):
                os.kill(process, signal.SIGSTOP)
                return process
        time.sleep(0.002)
    raise TimeoutError


def look_into(worker: int) -> list[bytes]:
    """All that a worker and a process that reads for it have in memory while they work."""
    processes = [worker, stop_reader_of(worker)]
    os.kill(worker, signal.SIGSTOP)
    try:
        plain = [
            Path(f"/proc/{each}/{name}") for each in processes for name in ("environ", "cmdline")
        ]
        return [*map(dump, processes), *(path.read_bytes() for path in plain)]
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


async def test_a_worker_at_work_holds_nothing_that_opens_a_past_backup(
    vault: Vault, spec: dict[str, Any], memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: every past backup, to whoever breaks into a worker or finds its core dump."""
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", KEY)  # the service may have it, its process not
    secrets, trial = secrets_of(vault), Trial(vault)
    leash = Limits(leash=2 * PATIENCE)  # nobody tells it meanwhile that it may go on
    with pytest.raises(Seen) as seen:  # so that the process is not waited for
        async with spawn("backup_worker.capture", spec, limits=leash) as child:
            raise Seen(look_into(child.pid))
    memories = seen.value.memories
    assert vault.writer_key in memories[0]  # so the dump does show keys
    for name, secret in secrets.items():
        for form in (secret, secret.hex().encode(), base64.b64encode(secret)):
            assert not any(form in each for each in memories), name
    assert not trial.finds([*memories, *in_files(memory / "cache")])
    run_key = secrets[f"run {trial.header.key_id.hex()}"]
    assert trial.finds([memories[1] + bytes(-len(memories[1]) % 8) + run_key])
