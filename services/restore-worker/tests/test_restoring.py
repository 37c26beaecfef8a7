"""What a restore does about a component that does not come back whole."""

from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from common.components.files import FilesComponent
from common.errors import RestoreFailed
from common.repository.prepared import SnapshotMeta
from restore_worker.protocol import RestoreSpec
from restore_worker.restoring import restore
from vault import Vault, make_keys


class Deaf:
    """A channel that nobody listens to."""

    def progress(self, *_: Any, **__: Any) -> None: ...


def test_what_cannot_be_placed_keeps_no_other_component_from_coming(tmp_path: Path) -> None:
    """Lost: all of a backup that comes after a name which the target cannot take."""
    vault = Vault(tmp_path / "repository", *make_keys())
    with vault.writer().begin(uuid4()) as run:
        for name in ("one", "two"):
            source = tmp_path / name
            source.mkdir()
            (source / "file").write_text(name)
            with run.component(name, "files") as sink:
                sink.details = FilesComponent.of(name, [source]).capture(sink)
        info = run.finish(SnapshotMeta("b", "b", "c")).commit_next()
    target = tmp_path / "target"
    (target / "one" / tmp_path.relative_to("/") / "one" / "file" / "in the way").mkdir(parents=True)
    spec = RestoreSpec(
        repository=vault.path, encryption_key=None, snapshot_id=info.id, restore_id="r",
        components_file=tmp_path / "none", components=(), paths=(), directory=target,
        databases={}, in_place=False,
    )  # fmt: skip
    with pytest.raises(RestoreFailed, match=r"one: .*file") as failed:
        restore(vault.reader(), spec, cast(Any, Deaf()))
    assert "when the reason is gone" in failed.value.remedy
    assert (target / "two" / tmp_path.relative_to("/") / "two" / "file").read_text() == "two"
