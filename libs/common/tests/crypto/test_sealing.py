"""Sealing and deriving: what was sealed opens, anything else does not."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.crypto.aead import NumberedSeal, seal, unseal
from common.crypto.kdf import derive
from common.crypto.stretching import FEWEST_ITERATIONS, MOST_ITERATIONS, iterations_for, stretch
from common.errors import Corrupt, Invalid

KEY = bytes(range(32))


@given(st.binary(max_size=2000), st.binary(max_size=50), st.integers(0, 2**96 - 1))
def test_a_numbered_message_opens_at_its_place_only(
    message: bytes, context: bytes, number: int
) -> None:
    """Else records can be cut, swapped or moved to another pack unseen."""
    sealed = NumberedSeal(KEY).seal(number, message, context)
    assert NumberedSeal(KEY).open(number, sealed, context) == message
    for key, place, around in (
        (KEY[::-1], number, context),
        (KEY, number ^ 1, context),
        (KEY, number, context + b"x"),
    ):
        with pytest.raises(Corrupt):
            NumberedSeal(key).open(place, sealed, around)


@given(st.binary(min_size=1, max_size=200), st.data())
def test_no_bit_of_a_sealed_message_can_change(message: bytes, data: st.DataObject) -> None:
    """Else an attacker with the storage alters content."""
    sealed = bytearray(seal(KEY, message, b"context"))
    assert unseal(KEY, sealed, b"context") == message
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Corrupt):
        unseal(KEY, sealed, b"context")


@given(st.binary(max_size=40))
def test_what_is_no_sealed_message_is_corrupt(noise: bytes) -> None:
    """Else hostile bytes crash a reader."""
    with pytest.raises(Corrupt):
        unseal(KEY, noise, b"")
    with pytest.raises(Corrupt):
        NumberedSeal(KEY).open(0, noise, b"")


def test_two_seals_of_one_message_differ() -> None:
    """Else equal secrets under one key are seen to be equal."""
    assert seal(KEY, b"same", b"") != seal(KEY, b"same", b"")


def test_derivation_is_hkdf_sha256() -> None:
    """Else no other implementation can read a repository (RFC 5869, test case 3)."""
    expected = (
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    )
    assert derive(b"\x0b" * 22, "", b"", 42).hex() == expected


def test_stretching_is_pbkdf2_sha256() -> None:
    """Else no other implementation can read a repository."""
    expected = hashlib.pbkdf2_hmac("sha256", b"passphrase", b"salt", 100_000)
    assert stretch(b"passphrase", b"salt", 100_000) == expected


RANDOM = base64.b64encode(b"\xfb" + bytes(range(100, 131)))


@pytest.mark.parametrize(
    "key", [RANDOM, RANDOM.translate(bytes.maketrans(b"+/", b"-_")).rstrip(b"=")]
)
def test_a_random_key_is_stretched_as_little_as_is_allowed(key: bytes) -> None:
    """Else every command takes longer to slow down guesses that nobody can make."""
    assert iterations_for(key) == FEWEST_ITERATIONS


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"correct horse battery staple",
        b"correcthorsebatterystaplecorrecthorsebattery"[:42] + b"A",
        RANDOM[:-2] + b"9=",  # more bits than 32 bytes have
        RANDOM + b"\n",
        RANDOM[4:],
        hashlib.sha256(b"a password").hexdigest().encode(),
        hashlib.sha256(b"a password").hexdigest()[:43].encode(),
    ],
)
def test_what_somebody_may_have_made_up_is_stretched_long(key: bytes) -> None:
    """Else a thief of the disk guesses six passphrases in the time of one."""
    assert iterations_for(key) == 600_000


@pytest.mark.parametrize("iterations", [0, FEWEST_ITERATIONS - 1, MOST_ITERATIONS + 1])
def test_iterations_outside_the_bounds_are_refused(iterations: int) -> None:
    """Else a hostile config weakens the key or holds a reader up for hours."""
    with pytest.raises(Invalid):
        stretch(b"passphrase", b"salt", iterations)
