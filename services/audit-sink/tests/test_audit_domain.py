"""The chain of the audit log: what is done to it behind the service's back is found."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_sink.domain import GENESIS, Head, Link, canonical, hash_of, line, link, verify_chain
from common.errors import Invalid
from common.messages import AuditRecorded, Envelope, seal

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(-1e308, 1e308),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=3),
    max_leaves=6,
)
EVENTS = st.builds(
    AuditRecorded,
    event_type=st.text(max_size=10),
    action=st.text(max_size=10),
    user_agent=st.text(max_size=10),
    risk_level=st.sampled_from(["low", "medium", "high", "critical"]),
    data=st.dictionaries(st.text(max_size=5), JSON, max_size=3),
)


def sealed(event: AuditRecorded) -> Envelope:
    return seal(event, source="gateway")


def chain(events: list[AuditRecorded]) -> list[Link]:
    head, links = GENESIS, []
    for event in events:
        links.append(link(head, sealed(event), event))
        head = Head(links[-1].seq, links[-1].hash)
    return links


def plain(count: int) -> list[Link]:
    return chain([AuditRecorded(event_type="e", action=str(n)) for n in range(count)])


@settings(max_examples=40)
@given(st.lists(EVENTS, max_size=5))
def test_an_untouched_chain_is_whole(events: list[AuditRecorded]) -> None:
    """A verification that cries wolf is soon ignored."""
    links = chain(events)
    head, findings = verify_chain(links)
    assert findings == []
    assert head.seq == len(events)


@settings(max_examples=40)
@given(st.lists(EVENTS, min_size=1, max_size=5), st.integers(0, 5))
def test_a_chain_can_be_verified_in_parts(events: list[AuditRecorded], cut: int) -> None:
    """A log of years does not fit into memory."""
    links = chain(events)
    middle, first = verify_chain(links[:cut])
    head, second = verify_chain(links[cut:], middle)
    assert (head, first + second) == verify_chain(links)


@settings(max_examples=40)
@given(st.data())
def test_any_change_is_found_at_its_place(data: st.DataObject) -> None:
    """Whoever got into the database must not be able to change what was recorded."""
    links = chain(data.draw(st.lists(EVENTS, min_size=1, max_size=4)))
    place = data.draw(st.integers(0, len(links) - 1))
    changed = data.draw(EVENTS)
    forged = link(Head(place, GENESIS.hash), sealed(changed), changed)
    links[place] = replace(links[place], entry=forged.entry)
    _, findings = verify_chain(links)
    assert findings[0].seq == place + 1


def rehash(links: list[Link]) -> list[Link]:
    """What a forger would do who also recomputes the hash of the entry that he changed."""
    entry = links[2].entry.replace('"action":"2"', '"action":"0"')
    links[2] = replace(links[2], entry=entry, hash=hash_of(links[1].hash, entry))
    return links


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda links: links[:2] + links[3:], 4),
        (lambda links: links[1:], 2),
        (lambda links: [links[0], links[2], links[1], links[3]], 3),
        (lambda links: [*links[:3], links[1], *links[3:]], 2),
        (rehash, 4),
        (lambda links: [replace(links[0], event_type="harmless"), *links[1:]], 1),
        (lambda links: [replace(links[0], risk_level="high"), *links[1:]], 1),
        (lambda links: [replace(links[0], occurred_at=datetime.now(UTC)), *links[1:]], 1),
        (lambda links: [replace(links[0], entry="no json"), *links[1:]], 1),
    ],
    ids=[
        "removed", "beginning removed", "exchanged", "repeated", "rehashed",
        "hidden from a filter", "other risk", "other time", "unreadable",
    ],
)  # fmt: skip
def test_every_kind_of_tampering_is_found(
    change: Callable[[list[Link]], list[Link]], where: int
) -> None:
    """Removing an entry serves an intruder as well as changing it."""
    _, findings = verify_chain(change(plain(5)))
    assert findings[0].seq == where


def test_one_change_is_one_finding() -> None:
    """An operator must see where it happened, not that everything after it is off."""
    links = plain(50)
    links[7] = replace(links[7], entry=links[7].entry.replace('"action":"7"', '"action":"0"'))
    _, findings = verify_chain(links)
    assert [finding.seq for finding in findings] == [8]


def test_an_entry_has_the_fields_of_both_documented_formats() -> None:
    """Programs that read either format must find every field under its name."""
    event = AuditRecorded(event_type="login_attempt", action="POST", data={"login_method": "x"})
    entry = json.loads(line(link(GENESIS, sealed(event), event)))
    assert entry.keys() >= {
        "timestamp", "event_type", "user_id", "ip_address", "user_agent", "resource", "action",
        "success", "risk_level", "details", "entity_type", "entity_id", "station_id", "data",
        "seq", "hash",
    }  # fmt: skip
    assert entry["details"] == entry["data"] == {"login_method": "x"}
    assert entry["timestamp"].endswith("Z")


@settings(max_examples=40)
@given(EVENTS)
def test_a_line_proves_itself(event: AuditRecorded) -> None:
    """An auditor has the file alone: it must be enough to recompute the hash."""
    made = link(GENESIS, sealed(event), event)
    raw = line(made)
    assert raw.count(b"\n") == 1
    assert raw.isascii()
    entry = json.loads(raw)
    assert (
        hash_of(GENESIS.hash, canonical({k: v for k, v in entry.items() if k != "hash"}))
        == (entry["hash"])
    )


def test_a_number_that_is_none_is_refused() -> None:
    """NaN is no JSON: the line could not be read again."""
    event = AuditRecorded(event_type="e", action="a", data={"rate": float("nan")})
    with pytest.raises(Invalid):
        link(GENESIS, sealed(event), event)
