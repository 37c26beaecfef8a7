"""Which secrets are taken for weak: never one that was made at random."""

import base64
import secrets

import pytest

from common.crypto.keys import generate_encryption_key
from common.crypto.strength import listed, weakness

PLACEHOLDERS = (
    "your-32-character-encryption-key",
    "your-16-character-salt",
    "your-backup-encryption-key",
    "your-generated-key-here",
    "production-encryption-key",
    "production-backup-key",
    "CHANGE_ME",
    "<the key that strongroom keys generate prints>",
)


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_what_the_documents_write_in_a_keys_place_is_refused(text: str) -> None:
    """Lost: every secret of whoever copied the example."""
    assert weakness(text, least=1) == "it is the placeholder of an example"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "0 bytes"),
        ("hunter2", "7 bytes, and 32 are the least"),
        ("7d4eaf9a91f64128b23f07c0d7cafabd", "16 bytes"),
        ("ab" * 40, "few different"),
        ("horse battery " * 4, "repeats itself"),
        ("abcdefghijklmnopqrstuvwxyz0123456789", "neighbouring"),
        ("swk1-d7ca7c6f9e17ab4bbfd2ca01f5e3c74a", "writer key"),
        ("srk1-d7ca7c6f9e17ab4bbfd2ca01f5e3c74a", "recovery key"),
    ],
)
def test_a_guessable_key_is_refused_with_its_reason(text: str, why: str) -> None:
    """Lost: the backups, to whoever tries the obvious."""
    found = weakness(text)
    assert found is not None
    assert why in found
    assert not text or text not in found


def test_keys_that_are_made_at_random_pass() -> None:
    """Lost: a new installation that refuses its own key."""
    for _ in range(500):
        for key in (
            generate_encryption_key(),
            secrets.token_hex(32),
            secrets.token_urlsafe(32),
            base64.b64encode(secrets.token_bytes(32)).decode(),
        ):
            assert weakness(key) is None, key


def test_a_passphrase_of_words_passes() -> None:
    """Lost: whoever keeps the key in their head."""
    assert weakness("correct horse battery staple, and a stapler") is None


def test_several_keys_stand_newest_first() -> None:
    """Lost: what was sealed under the older ones."""
    assert listed(" new ,old,, older") == ["new", "old", "older"]
    assert listed("") == []
