"""What a look at a pack sees, when every byte of it is read."""

import random

from common.repository.checking.packcheck import PackVerdict, verify_pack
from common.repository.format.pack import HEADER_SIZE
from vault import Vault, noise

TEXT = b"one, two, three; " * 4000


def look(vault: Vault) -> PackVerdict:
    """The verdict on the pack of the files, by one who has read nothing of it yet."""
    fetcher = vault.reader().fetcher
    sizes = [entry.size for entry in fetcher.catalog.packs]
    return verify_pack(vault.directory, fetcher, sizes.index(max(sizes)), read_data=True)


def test_no_byte_of_a_pack_can_change_unseen(vault: Vault) -> None:
    """Lost: the file that it is in, and nobody knows until it is needed."""
    vault.backup({b"noise": noise(300_000), b"text": TEXT, b"small": b"something"})
    sound, chosen = look(vault), random.Random(0)
    assert sound.error is None
    whole = (vault.path / sound.name).read_bytes()
    assert sound.read == len(whole)
    ends = [*range(HEADER_SIZE), *range(len(whole) - 200, len(whole))]
    for place in [*ends, *chosen.choices(range(len(whole)), k=100)]:
        with vault.hurt(sound.name) as data:
            data[place] ^= 1 << chosen.randrange(8)
        assert look(vault).error is not None, place
        (vault.path / sound.name).write_bytes(whole)
