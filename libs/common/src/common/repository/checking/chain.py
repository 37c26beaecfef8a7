"""Reading the chains of snapshots for what is not there any more. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from common.repository.checking.findings import Finding
from common.repository.format.snapshot import Link, Snapshot
from common.repository.history import Head, tombstoned

_Places = dict[int, dict[str, str | None]]
"""By counter: the ids that stand there and the one that each says is before it."""


def verify_chains(
    snapshots: Mapping[str, Snapshot],
    damaged: Collection[str],
    heads: Mapping[str, Head],
    only: Collection[str] | None = None,
) -> Iterator[Finding]:
    """What is missing from the chains, or stands in them twice.

    ``damaged`` are the ids of snapshots that are there and cannot be read; ``heads`` is what others
    know to be the newest of each chain; ``only`` names the chains to follow, None means all.
    """
    chains = _places(snapshots)
    expected = _expected(snapshots, heads)
    for chain in sorted(chains.keys() | expected.keys()):
        if only is not None and chain not in only:
            continue
        places = chains.get(chain, {})
        yield from _gaps(chain, places, expected.get(chain, set()), damaged)
        yield from _forks(chain, places)


def _places(snapshots: Mapping[str, Snapshot]) -> dict[str, _Places]:
    chains: dict[str, _Places] = defaultdict(lambda: defaultdict(dict))

    def put(snapshot_id: str, link: Link) -> None:
        chains[link.chain][link.counter][snapshot_id] = link.previous

    for snapshot_id, body in snapshots.items():
        put(snapshot_id, body.link)
    for removed in tombstoned(snapshots.values()):
        put(removed.snapshot, removed.link)
    return chains


def _expected(
    snapshots: Mapping[str, Snapshot], heads: Mapping[str, Head]
) -> dict[str, set[tuple[int, str]]]:
    """Who was seen at which place of a chain; at one place it may have been one after another."""
    expected: dict[str, set[tuple[int, str]]] = defaultdict(set)
    for body in snapshots.values():
        for witness in body.witnesses:
            expected[witness.chain].add((witness.counter, witness.snapshot))
    for chain, head in heads.items():
        if head.snapshot is not None:
            expected[chain].add((head.counter, head.snapshot))
    return expected


def _gaps(
    chain: str, places: _Places, expected: Collection[tuple[int, str]], damaged: Collection[str]
) -> Iterator[Finding]:
    missing = {
        (counter, snapshot_id)
        for counter, snapshot_id in expected
        if snapshot_id not in places.get(counter, {})
    }
    for counter, ids in places.items():
        for previous in ids.values():
            if previous is not None and previous not in places.get(counter - 1, {}):
                missing.add((counter - 1, previous))
    for counter, snapshot_id in sorted(missing):
        if snapshot_id not in damaged:
            name = f"snapshots/{snapshot_id}"
            yield Finding(
                name,
                "removed",
                f"{name} was removed without a record of it: "
                f"number {counter} of the chain {chain!r}.",
                (f"backup number {counter} of the chain {chain!r}",),
            )
    yield from _holes(chain, sorted(places.keys() | {counter for counter, _ in missing}))


def _holes(chain: str, counters: list[int]) -> Iterator[Finding]:
    """Several missing in a row: the ids of all but the last of them are unknown."""
    for before, after in zip([0, *counters], counters, strict=False):
        if after - before > 1:
            gap = f"{before + 1} to {after - 1}" if after - before > 2 else f"{before + 1}"  # noqa: PLR2004 - a range has two ends
            yield Finding(
                f"snapshots of {chain} before {after}",
                "removed",
                f"Snapshots were removed without a record of it: {gap} of the chain {chain!r}.",
                (f"backup number {gap} of the chain {chain!r}",),
            )


def _forks(chain: str, places: _Places) -> Iterator[Finding]:
    for counter, ids in sorted(places.items()):
        if len(ids) > 1:
            names = sorted(f"snapshots/{snapshot_id}" for snapshot_id in ids)
            yield Finding(
                names[-1],
                "forked",
                f"{' and '.join(names)} stand at the same place {counter} of the chain {chain!r}.",
            )
