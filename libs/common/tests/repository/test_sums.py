"""A list says how much it holds: another sum is damage, to a check as to a restore."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from common.errors import Corrupt
from common.repository.browsing.listing import lookup
from common.repository.entry import MAX_PATH, Entry, EntryType
from common.repository.format import block, blockreader
from common.repository.format.block import BlockBuilder, ends_block
from common.repository.format.blockreader import parse_block
from common.repository.format.chunklist import ChunkList, Item
from common.repository.history import SnapshotInfo
from common.repository.prepared import SnapshotMeta
from common.repository.pruning.prune import PruneSettings
from common.repository.run import ComponentRecorder
from common.repository.tree import ContentDamaged
from vault import Vault, add_files, noise


@pytest.mark.parametrize("more", [1000, -1000])
def test_a_check_finds_a_list_that_does_not_add_up(vault: Vault, more: int) -> None:
    """Lost: a file that no restore gives back, behind a check that said that all is well."""
    first = vault.backup({b"big": noise(4_000_000)})
    big = lookup(vault.reader().fetcher, first.components[0], b"big")
    level, size, root = big.content
    assert level

    def fill(sink: ComponentRecorder) -> None:
        sink.add(Entry(b"", EntryType.DIRECTORY))
        for name in (b"again", b"good"):
            sink._tree.add(replace(big, path=name), big.content)
        false = replace(big, path=b"lie", size=size + more)
        sink._tree.add(false, ChunkList(level, size + more, root))

    false = vault.write(fill, name="false")
    (finding,) = vault.reader().check(read_data=False).findings
    assert finding.affects == ("false, files: lie",)
    with pytest.raises(ContentDamaged, match="than it says") as error:
        vault.restore(false.id)
    assert error.value.paths == (b"lie",)
    with pytest.raises(Corrupt, match="than it says"):
        vault.reader().prune(PruneSettings())


def without_last(root: tuple[Item, ...]) -> tuple[Item, ...]:
    return root[:-2]


def none(_root: tuple[Item, ...]) -> tuple[Item, ...]:
    return ()


def with_twins(root: tuple[Item, ...]) -> tuple[Item, ...]:
    return root[:-1] + root[:1] * 9


@pytest.mark.parametrize("change", [without_last, none, with_twins])
def test_a_tree_that_does_not_add_up_is_seen_by_all(
    vault: Vault, change: Callable[[tuple[Item, ...]], tuple[Item, ...]]
) -> None:
    """Lost: the files of the blocks that a tree lacks, and nobody says that they are missing."""
    info = with_tree(vault, change)
    (finding,) = vault.reader().check(read_data=False).findings
    assert finding.affects == ("false, files",)
    source = vault.reader().snapshot(info.id).source("files")
    with pytest.raises(ContentDamaged):
        list(source.entries())


def with_tree(vault: Vault, change: Callable[[tuple[Item, ...]], tuple[Item, ...]]) -> SnapshotInfo:
    """A backup of three thousand files, with another root of its tree."""
    with vault.writer().begin(uuid4()) as run:
        with run.component("files", "files") as sink:
            add_files(sink, {b"%d" % number: b"%d" % number for number in range(3000)})
        prepared = run.finish(SnapshotMeta("false", "false", "false"))
    (part,) = prepared._body.components
    assert len(part.tree.root) > 3
    false = part._replace(tree=part.tree._replace(root=change(part.tree.root)))
    prepared._body = prepared._body._replace(components=(false,))
    return prepared.commit_next()


def test_a_block_ends_before_its_paths_are_too_long_to_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lost: a backup of deep folders, to the bound that is there for hostile ones."""
    for module in (block, blockreader):
        monkeypatch.setattr(module, "MAX_PATHS", 40 * MAX_PATH)
    names = [b"a" * (MAX_PATH - 5) + b"%05d" % number for number in range(100)]
    names = [name for name in names if not ends_block(name)]
    for plain in (False, True):
        builder, read = BlockBuilder(), 0
        for name in names:
            entry = Entry(name, EntryType.FILE)
            ended = (
                builder.add_plain(name, (0, 0, "", ""), 0o600, 0, 0, b"")
                if plain
                else builder.add(entry, ChunkList())
            )
            if ended:
                assert len(builder) == 40
                read += len(parse_block(builder.take(), "x").entries)
        assert read == 80
        bad = BlockBuilder()
        with monkeypatch.context() as patch:
            patch.setattr(block, "MAX_PATHS", 100 * MAX_PATH)
            for name in names[:41]:
                bad.add(Entry(name, EntryType.FILE), ChunkList())
        with pytest.raises(Corrupt, match="x is a block"):
            parse_block(bad.take(), "x")
