"""What a check says is lost is all that a restore does not bring back."""

import io

import pytest

from common.repository.browsing.listing import lookup
from common.repository.entry import Entry, EntryType
from common.repository.run import ComponentRecorder
from vault import Vault, noise


@pytest.mark.usefixtures("small_packs")
def test_other_names_of_a_lost_file_are_lost(vault: Vault) -> None:
    """Lost: the word of a check, that what it does not name can be restored."""

    def fill(sink: ComponentRecorder) -> None:
        sink.add(Entry(b"", EntryType.DIRECTORY))
        sink.add_stream(Entry(b"bad", EntryType.FILE), io.BytesIO(noise(300_000)))
        sink.add_stream(Entry(b"good", EntryType.FILE), io.BytesIO(b"1"))
        for number in range(20_000):
            sink.add(Entry(b"many%05d" % number, EntryType.DIRECTORY))
        sink.add(Entry(b"other", EntryType.HARDLINK, target=b"good"))
        sink.add(Entry(b"twin", EntryType.HARDLINK, target=b"bad"))

    (part,) = vault.write(fill).components
    fetcher = vault.reader().fetcher
    first = lookup(fetcher, part, b"bad").content.root[0]
    vault.directory.delete(fetcher.catalog.packs[fetcher.place(*first).pack].name)
    findings = vault.reader().check(read_data=False).findings
    assert {each for found in findings for each in found.affects} == {"backup, files: bad, twin"}
