"""A repository against a dictionary: whatever is done in any order, it holds what it should."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chaos.orderly import ORDER, small_and_orderly
from chaos.sealing import PROVIDER
from chaos.settings import FACTOR, FIRST_SEED, roomy
from chaos.world import LAST, NOW, Files, create_at, noise, open_at, restore, tidy
from common.errors import Conflict, NotFound
from common.repository.prepared import Prepared, SnapshotMeta
from common.repository.pruning.prune import PruneSettings
from common.repository.rekeying.rotation import rotate
from common.repository.run import Run
from common.storage.local import LocalDirectory
from vault import add_files

NAMES = st.sampled_from([b"a", b"b", b"folder/c", b"\xff", b"d" * 200])
CONTENTS = st.builds(noise, st.sampled_from([0, 1, 3_000, 9_000, 30_000]), st.integers(0, 4))
FILES = st.dictionaries(NAMES, CONTENTS, max_size=4)
CHAINS = st.sampled_from(["one", "two"])
CONFIG: list[bytes] = []


class Model(RuleBasedStateMachine):
    """``expected`` is what the repository must list, by snapshot; ``runs`` are going on or dead,
    ``buried`` ones were taken for dead.
    """

    snapshots = Bundle("snapshots")
    runs = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=roomy()))
        self.path = self.folder / "place"
        self.expected: dict[str, Files] = {}
        self.going: dict[UUID, tuple[Run, Files]] = {}
        self.buried: set[UUID] = set()
        self.stack = ExitStack()
        self.stack.enter_context(small_and_orderly())

    @initialize()
    def create(self) -> None:
        create_at(self.path, CONFIG[0])

    @rule(target=snapshots, files=FILES, chain=CHAINS)
    def backup(self, files: Files, chain: str) -> str:
        return self.commit(*self.write(uuid4(), files), chain)

    @rule(target=runs, files=FILES)
    def begin(self, files: Files) -> UUID:
        """A run that writes everything and then waits, for ever perhaps."""
        run_id = uuid4()
        self.going[run_id] = self.write(run_id, files)
        return run_id

    @rule(target=snapshots, run_id=consumes(runs), chain=CHAINS)
    def end(self, run_id: UUID, chain: str) -> str:
        """It ends at last; or it was taken for dead, and says so."""
        run, files = self.going.pop(run_id)
        try:
            return self.commit(run, files, chain)
        except Conflict:
            assert run_id in self.buried
            return ""

    @rule(target=snapshots, run_id=consumes(runs), chain=CHAINS)
    def take_over(self, run_id: UUID, chain: str) -> str:
        """Its process is dead, and another one begins it again."""
        _, files = self.going.pop(run_id)
        repository = open_at(self.path)
        repository.abandon(run_id)
        return self.commit(*self.write(run_id, files), chain)

    @rule(run_id=runs)
    def abandon(self, run_id: UUID) -> None:
        open_at(self.path).abandon(run_id)
        self.buried.add(run_id)

    @rule(snapshot=snapshots)
    def forget(self, snapshot: str) -> None:
        if snapshot:
            open_at(self.path).forget(snapshot, "a test")
            self.expected.pop(snapshot, None)

    @rule(careful=st.booleans())
    def prune(self, careful: bool) -> None:
        open_at(self.path).prune(PruneSettings() if careful else NOW)

    @precondition(lambda self: not self.going)
    @rule()
    def prune_hard(self) -> None:
        open_at(self.path).prune(LAST)

    @rule()
    def rotate(self) -> None:
        rotate(LocalDirectory(self.path), PROVIDER)

    @rule(snapshot=snapshots)
    def restore_one(self, snapshot: str) -> None:
        if snapshot in self.expected:
            assert restore(open_at(self.path), snapshot) == self.expected[snapshot]
        elif snapshot:
            with pytest.raises(NotFound):
                restore(open_at(self.path), snapshot)

    @invariant()
    def holds(self) -> None:
        """What is listed is what is expected, and all is well."""
        if not self.path.exists():
            return
        reader = open_at(self.path)
        assert {info.id for info in reader.snapshots()} == self.expected.keys()
        report = reader.check(read_data=True)
        assert report.ok, report.findings

    def write(self, run_id: UUID, files: Files) -> tuple[Run, Files]:
        run = open_at(self.path).begin(run_id)
        with run.component("files", "files") as sink:
            add_files(sink, files)
        for draft in LocalDirectory(self.path).leftovers():  # by the clock of a prune
            os.utime(draft, (ORDER.time(), ORDER.time()))
        return run, files

    def commit(self, run: Run, files: Files, chain: str) -> str:
        with run:
            prepared: Prepared = run.finish(SnapshotMeta("b", "b", chain))
        snapshot = prepared.commit_next().id
        self.expected[snapshot] = files
        return snapshot

    def teardown(self) -> None:
        try:
            if self.path.exists():
                for run, _ in self.going.values():
                    run.__exit__(None, None, None)
                tidy(self.path)
                for snapshot, files in self.expected.items():
                    assert restore(open_at(self.path), snapshot) == files
        finally:
            self.stack.close()
            shutil.rmtree(self.folder)


@pytest.fixture
def _config(config: bytes) -> Iterator[None]:
    CONFIG[:] = [config]
    yield
    CONFIG.clear()


@pytest.mark.usefixtures("_config")
def test_a_repository_is_a_dictionary() -> None:
    """Lost: a backup, by some order of things that nobody thought of."""
    # By a seed of its own the examples are others; without one the same for the same modules.
    machine = seed(FIRST_SEED)(Model) if FIRST_SEED else Model
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=round(30 * FACTOR),
            stateful_step_count=15,
            deadline=None,
            derandomize=not FIRST_SEED,
            database=None,
        ),
    )
