"""How far a job is: what is counted is told as a number of so many, and never as bytes."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from common.repository.browsing.measuring import Measure
from common.repository.progress import OnProgress, counted
from common.repository.pruning.prune import PruneSettings
from common.repository.rekeying.rewrapping import rewrap
from common.repository.repairing.index import repair_index
from vault import Vault, noise

Told = list[tuple[str, int, int | None]]
"""Phase, how many are done, and of how many."""


def prune(vault: Vault, tell: OnProgress) -> None:
    vault.reader().prune(PruneSettings(grace=timedelta(0)), on_progress=tell)


def measure(vault: Vault, tell: OnProgress) -> None:
    reader = vault.reader()
    Measure(reader.fetcher, lambda error: None).run(
        reader.snapshots(), 0, 0, waste=0.25, on_progress=tell
    )


def make_index(vault: Vault, tell: OnProgress) -> None:
    reader = vault.reader()
    repair_index(reader.session, reader.keyring(), on_progress=tell)


def wrap(vault: Vault, tell: OnProgress) -> None:
    reader = vault.reader()
    rewrap(reader.session, reader.keyring(), tell)


@pytest.mark.parametrize(
    ("job", "phases"),
    [
        (prune, ["mark", "rewrite", "remove"]),
        (measure, ["trees"]),
        (make_index, ["packs"]),
        (wrap, ["run keys"]),
    ],
)
@pytest.mark.usefixtures("small_packs")
def test_a_job_that_counts_tells_its_share(
    vault: Vault,
    job: Callable[[Vault, OnProgress], None],
    phases: list[str],
) -> None:
    """Lost: whether to wait, for a job of hours; or trust in a bar that takes 17 keys for bytes."""
    gone = vault.backup({b"a": noise(150_000, 1), b"same": noise(30_000, 2)}, "gone")
    vault.backup({b"b": noise(150_000, 3), b"same": noise(30_000, 2)}, "stays")
    vault.reader().forget(gone.id, "")
    told: Told = []

    def tell(
        phase: str,
        done: int,
        total: int | None,
        entries: int,
        *_: str,
        total_entries: int | None = None,
    ) -> None:
        assert (done, total) == (0, None)
        told.append((phase, entries, total_entries))

    job(vault, tell)
    for phase in phases:
        first, *_, last = [(done, of) for each, done, of in told if each == phase and of]
        assert first[0] == 0
        assert last[0] == last[1]


def test_of_many_that_go_fast_few_are_told() -> None:
    """Lost: half the time of a prune that deletes a hundred thousand packs, to its progress bar."""
    told: list[int] = []
    tell = lambda *given, **_: told.append(given[3])  # noqa: E731
    assert list(counted(range(10_000), "remove", tell)) == list(range(10_000))
    assert (told[0], told[-1], len(told) < 100) == (0, 10_000, True)
