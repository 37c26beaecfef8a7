"""A worker's memory and files open no past backup: every key it has, against everything sealed."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from common.crypto.aead import NumberedSeal, unseal
from common.crypto.hpke import PrivateKey
from common.crypto.kdf import derive
from common.crypto.keys import PassphraseProvider
from common.errors import Corrupt
from common.repository.format.config import RepositoryConfig
from common.repository.format.pack import HEADER_SIZE, TRAILER_SIZE, PackHeader
from common.repository.format.writerkeys import WriterKeys, config_mac_key
from common.repository.rekeying.rotation import rotate
from mortal import Killed, Mortal
from vault import KEY, Vault, noise

PURPOSES = (
    "writer", "chunk-id", "chunker", "index", "chain", "key-mac", "writer-check", "config-mac",
    "pack", "run-key", "private-key", "writer-key", "segment", "snapshot",
)  # fmt: skip
HELD = ("writer_key", "chunk_id", "index", "chain", "key_mac")


@pytest.fixture
def past(vault: Vault) -> Vault:
    """Two backups, and a rotation that died in the middle: all kinds of sealed things."""
    for name in ("one", "two"):
        vault.backup({name.encode(): noise(20_000, len(name))}, name)
    config = RepositoryConfig.parse(vault.directory.read("config"))
    with pytest.raises(Killed):
        rotate(Mortal(vault.path, 2), PassphraseProvider.found(KEY, config.sealing))
    return vault


def held(keys: WriterKeys) -> list[bytes]:
    """The secrets of a worker and everything that the format derives from such."""
    repository = keys.repository
    first = [getattr(keys, name) for name in HELD]
    first += [config_mac_key(keys.writer_key), keys.chunker_seed.to_bytes(32, "little"), bytes(32)]
    salts = (b"", repository)
    second = [
        derive(key, f"strongroom/v1/{purpose}", salt)
        for key in first
        for purpose in PURPOSES
        for salt in salts
    ]
    return list(dict.fromkeys([*first, *second]))


def in_files(vault: Vault) -> list[bytes]:
    """Every 32 bytes that stand in the clear in the repository's small objects."""
    found: list[bytes] = []
    for name in ["config", *vault.names("keys/"), *vault.names("index/")]:
        data = (vault.path / name).read_bytes()[:200]
        found += [data[place : place + 32] for place in range(len(data) - 32)]
    for name in vault.names("packs/"):
        found.append((vault.path / name).read_bytes()[24:56])
    return found


def sealed_packs(vault: Vault) -> Iterator[tuple[PackHeader, list[tuple[int, bytes, bytes]]]]:
    """Each pack's header and its sealed messages: number, bytes, associated data."""
    for pack in vault.writer().session.catalog().packs:
        data = (vault.path / pack.name).read_bytes()
        header, bare = PackHeader.parse(data, pack.name), data[:HEADER_SIZE]
        offsets = pack.directory.offsets()
        messages = [
            (number, data[offsets[number] : offsets[number + 1]], bare + b"\0")
            for number in range(len(pack.directory.records))
        ]
        messages.append((2**96 - 1, data[offsets[-1] : -TRAILER_SIZE], bare + b"\1"))
        yield header, messages


def opens(key: bytes, number: int, message: bytes, context: bytes) -> bool:
    try:
        NumberedSeal(key).open(number, message, context)
    except Corrupt:
        return False
    return True


def test_no_key_of_a_worker_opens_a_pack(past: Vault) -> None:
    """Lost: every past backup, to whoever breaks into a worker."""
    keys = held(past.session().keys) + in_files(past)
    assert len(keys) > 400
    for header, messages in sealed_packs(past):
        for key in keys:
            pack_key = derive(key, "strongroom/v1/pack", header.salt)
            for message in messages:
                assert not opens(key, *message)
                assert not opens(pack_key, *message)


def test_the_trial_would_notice(past: Vault) -> None:
    """Lost: the meaning of the tests beside this one."""
    (header, messages), *_ = sealed_packs(past)
    wrapped = next(key for key in past.session().wrapped_keys() if key.key_id == header.key_id)
    recipients = wrapped.wrapped.keys()
    provider = PassphraseProvider.found(KEY, past.session().config.sealing)
    config = past.session().config
    privates = [config.open_private(provider)[0], *config.open_former(provider)]
    private = next(each for each in privates if each.public.recipient in recipients)
    key = wrapped.unwrap(private, private.public.recipient).key
    assert all(opens(derive(key, "strongroom/v1/pack", header.salt), *each) for each in messages)


def test_no_key_of_a_worker_opens_a_private_part(past: Vault) -> None:
    """Lost: the private key, and with it everything, to a worker's memory."""
    session = past.session()
    config = session.config
    seals = [config.private_key, config.writer_key, *(each.private_key for each in config.former)]
    contexts = [b"", b"strongroom/v1/private-key", b"strongroom/v1/writer-key"]
    wrapped = [(key, sealed) for key in session.wrapped_keys() for sealed in key.wrapped.values()]
    assert len(config.former) == 1
    for key in held(session.keys):
        for seal in seals:
            for context in contexts:
                with pytest.raises(Corrupt):
                    unseal(key, seal, context + config.repository)
        for each, sealed in wrapped:
            info = b"strongroom/v1/run-key" + config.repository + each.key_id + each.run.bytes
            with pytest.raises(Corrupt):
                PrivateKey(key).unwrap(sealed, info)


PROBE = """
import gc, sys, uuid
from pathlib import Path
from common.repository.opening import open_writer
from common.repository.prepared import SnapshotMeta
writer = open_writer(Path(sys.argv[1]), sys.stdin.read())
with writer.begin(uuid.uuid4()) as run:
    with run.component("files", "files"):
        pass
    run.finish(SnapshotMeta("b", "b", "probe")).commit_next()
writer.snapshots()
for line in Path("/proc/self/maps").read_text().splitlines():
    place, rights = line.split()[:2]
    start, end = (int(part, 16) for part in place.split("-"))
    if rights == "rw-p":  # what is shared is the table of chunk ids, as large as it may become
        with open("/proc/self/mem", "rb", 0) as file:
            file.seek(start)
            try:
                sys.stdout.buffer.write(file.read(end - start))
            except OSError:
                pass
"""


def test_the_memory_of_a_worker_holds_no_pack_key_and_no_private_part(past: Vault) -> None:
    """Lost: every past backup, to a core dump of a worker."""
    config = past.session().config
    provider = PassphraseProvider.found(KEY, config.sealing)
    secrets = [config.open_private(provider)[0].seed, provider._key, KEY.encode()]
    secrets += [each.seed for each in config.open_former(provider)]
    secrets += [noise(20_000, 3)[:32], noise(20_000, 3)[10_000:10_032]]
    ring = past.reader()
    ring._privates = (config.open_private(provider)[0], *config.open_former(provider))
    for header, _ in sealed_packs(past):
        run_key = ring.keyring().get(header.key_id).key
        secrets += [run_key, derive(run_key, "strongroom/v1/pack", header.salt)]
    memory = subprocess.run(
        [sys.executable, "-c", PROBE, str(past.path)],
        input=f"swk1-{past.writer_key.hex()}".encode(),
        capture_output=True,
        check=True,
        timeout=120,
    ).stdout
    assert past.writer_key in memory  # so the probe does see keys
    for secret in secrets:
        assert secret not in memory
