"""Whether a file is what a backup has of it."""

import io
from pathlib import Path

from common.repository.entry import Entry, EntryType
from common.repository.recording import Recorder
from vault import Vault, noise

SIZE = 300_000
REGIONS = ((4096, 8192), (200_704, 40_960))
CONTENTS = {b"empty": b"", b"small": noise(100), b"large": noise(400_000, 1)}


def test_a_file_is_known_by_every_byte_and_hole(vault: Vault, tmp_path: Path) -> None:
    """Else a restore leaves a changed file as it is, or writes every file again."""
    data = noise(sum(length for _, length in REGIONS))

    def fill(sink: Recorder) -> None:
        for name, content in CONTENTS.items():
            (tmp_path / name.decode()).write_bytes(content)
            sink.add_stream(Entry(name, EntryType.FILE), io.BytesIO(content))
        sparse = Entry(b"sparse", EntryType.FILE, size=SIZE, extents=REGIONS)
        sink.add_regions(sparse, io.BytesIO(data))

    with (tmp_path / "sparse").open("wb") as file:
        place = 0
        for offset, length in REGIONS:
            file.seek(offset)
            file.write(data[place : place + length])
            place += length
        file.truncate(SIZE)
    info = vault.write(fill)
    source = vault.reader().snapshot(info.id).source("files")
    for entry in source.entries():
        with (tmp_path / entry.path.decode()).open("rb+") as there:
            assert source.holds(entry, there.fileno())
            for place in {0, entry.size // 2, entry.size - 1} if entry.size else ():
                there.seek(place)
                before = there.read(1)
                there.seek(place)
                there.write(bytes([before[0] ^ 1]))
                there.flush()
                assert not source.holds(entry, there.fileno())
                there.seek(place)
                there.write(before)
                there.flush()
            there.truncate(entry.size + 1)
            assert not source.holds(entry, there.fileno())
