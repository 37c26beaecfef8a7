"""Messages as earlier versions sent them. A file is added for a new type and never changed."""

import json
import traceback
from pathlib import Path
from typing import Any

import pytest

from common.messages import Unreadable, decode, encode, types

GOLDEN = Path(__file__).parent / "golden"
BAD_FIELD = b'{"type": "backup.cancel", "source": "x", "data": {"backup_id": ["secret"]}}'
FILES = sorted(GOLDEN.glob("*.json"))


def within(old: Any, new: Any) -> bool:
    """Whether ``new`` says everything that ``old`` says; it may say more."""
    if isinstance(old, dict):
        return all(key in new and within(value, new[key]) for key, value in old.items())
    return bool(old == new)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_was_sent_once_is_understood_for_ever(path: Path) -> None:
    """Lost: messages that waited in a queue over an upgrade."""
    envelope = decode(path.read_bytes())
    assert envelope.type == path.stem == envelope.data.type
    assert within(json.loads(path.read_text()), json.loads(encode(envelope)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_fields_of_a_newer_sender_are_ignored(path: Path) -> None:
    """Lost: an upgrade of one service after another, without a halt of all."""
    document = json.loads(path.read_text())
    newer = document | {"newattribute": 1, "data": document["data"] | {"new_field": {"a": 1}}}
    assert decode(json.dumps(newer).encode()) == decode(path.read_bytes())


def test_each_type_has_its_file() -> None:
    """Lost: the promise above, for a message that nobody wrote down."""
    ours = {name for name, cls in types().items() if cls.__module__.startswith("common.messages")}
    assert ours == {path.stem for path in FILES}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"type": "no.such.type", "data": {}}',
        b'{"type": ["backup.run"], "data": {}}',
        b'{"type": "backup.run", "data": {"backup_id": 1}}',
        b'{"type": "backup.run", "data": {}, "source": "x"}',
        b'{"specversion": "2", "type": "backup.cancel", "source": "x", "data": {"backup_id": "b"}}',
        b"[" * 100_000,
    ],
    ids=range(12),
)
def test_poison_is_called_unreadable(raw: bytes) -> None:
    """Lost: a consumer, to an exception that it does not expect."""
    with pytest.raises(Unreadable):
        decode(raw)


def test_a_refusal_names_fields_and_shows_no_content() -> None:
    """Lost: whatever messages hold, to the dead letters' list and to every log."""
    with pytest.raises(Unreadable, match=r"backup_id \(string_type\)") as raised:
        decode(BAD_FIELD)
    assert "secret" not in "".join(traceback.format_exception(raised.value))
