"""Keys: their text forms, their providers, and the wrapping of run keys."""

import hashlib
import hmac
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from common.crypto.hpke import PrivateKey, PublicKey
from common.crypto.keys import (
    NOT_ENCRYPTED,
    WRITER_PREFIX,
    PassphraseProvider,
    derive_writer_key,
    generate_encryption_key,
    read_key,
    reveal,
    write_key,
)
from common.errors import Corrupt, Invalid, WrongKey

PRIVATE = PrivateKey(bytes(range(32)))


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_a_wrapped_key_opens_for_its_holder_and_its_purpose_only(
    secret: bytes, info: bytes
) -> None:
    """Else a run key of one repository opens in another, or for a stranger."""
    wrapped = PRIVATE.public.wrap(secret, info)
    assert PRIVATE.unwrap(wrapped, info) == secret
    with pytest.raises(Corrupt):
        PRIVATE.unwrap(wrapped, info + b"x")
    with pytest.raises(Corrupt):
        PrivateKey(bytes(32)).unwrap(wrapped, info)


@given(st.binary(max_size=1300))
def test_what_is_no_wrapped_key_is_corrupt(noise: bytes) -> None:
    """Else hostile bytes crash a reader."""
    with pytest.raises(Corrupt):
        PRIVATE.unwrap(noise, b"")


def hkdf_extract(salt: bytes, secret: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), secret, "sha256")


def hkdf_expand(key: bytes, info: bytes, size: int) -> bytes:
    block = out = b""
    for number in range(1, size // 32 + 2):
        block = hmac.digest(key, block + info + bytes([number]), "sha256")
        out += block
    return out[:size]


def labeled(suite: bytes) -> tuple[Callable[..., bytes], Callable[..., bytes]]:
    def extract(salt: bytes, label: bytes, secret: bytes) -> bytes:
        return hkdf_extract(salt, b"HPKE-v1" + suite + label + secret)

    def expand(key: bytes, label: bytes, info: bytes, size: int) -> bytes:
        return hkdf_expand(key, size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info, size)

    return extract, expand


def test_wrapping_is_rfc_9180_with_x_wing() -> None:
    """Else only this version of one library can open what we wrap: here HPKE is written out."""
    wrapped = PRIVATE.public.wrap(b"secret", b"info")
    enc, sealed = wrapped[:1120], wrapped[1120:]
    seeds = hashlib.shake_256(PRIVATE.seed).digest(96)
    inner = mlkem.MLKEM768PrivateKey.from_seed_bytes(seeds[:64])
    outer = x25519.X25519PrivateKey.from_private_bytes(seeds[64:])
    shared = hashlib.sha3_256(
        inner.decapsulate(enc[:1088])
        + outer.exchange(x25519.X25519PublicKey.from_public_bytes(enc[1088:]))
        + enc[1088:]
        + PRIVATE.public.raw[1184:]
        + b"\\.//^\\"
    ).digest()
    extract, expand = labeled(b"HPKE" + bytes.fromhex("647a00010002"))
    context = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", b"info")
    secret = extract(shared, b"secret", b"")
    key, nonce = expand(secret, b"key", context, 32), expand(secret, b"base_nonce", context, 12)
    assert AESGCM(key).decrypt(nonce, sealed, b"") == b"secret"


def test_a_public_key_is_that_of_the_x_wing_document() -> None:
    """Else a recovery key made elsewhere does not fit (first test vector, its two ends)."""
    seed = "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26"
    public = PrivateKey(bytes.fromhex(seed)).public.raw.hex()
    assert public.startswith("e2236b35a8c24b39")
    assert public.endswith("c8cd049040ef6534")


@pytest.mark.parametrize("raw", [b"", bytes(1215), b"\xff" * 1216])
def test_what_is_no_public_key_is_corrupt(raw: bytes) -> None:
    """Else a hostile config crashes a worker."""
    with pytest.raises(Corrupt):
        PublicKey(raw).wrap(b"secret", b"")


def test_keys_do_not_show_themselves() -> None:
    """Else a private key lands in a log."""
    assert PRIVATE.seed.hex() not in repr(PRIVATE)
    assert str(PRIVATE.seed) not in repr(PRIVATE)


def test_text_forms_read_back() -> None:
    """Else the key that the operator wrote down is worth nothing."""
    key = derive_writer_key("key")
    assert read_key(WRITER_PREFIX, f" {write_key(WRITER_PREFIX, key)}\n") == key


@pytest.mark.parametrize("text", ["", "swk1-", "srk1-" + 64 * "0", "swk1-" + 64 * "G"])
def test_other_texts_are_no_keys(text: str) -> None:
    """Else the wrong key is taken for a writer key, and backups are made that nobody reads."""
    with pytest.raises(WrongKey) as raised:
        read_key(WRITER_PREFIX, text)
    assert len(text) < 10 or text not in str(raised.value)


def test_no_key_is_not_an_empty_key() -> None:
    """Else a forgotten setting makes unencrypted backups."""
    assert reveal(None) == NOT_ENCRYPTED
    assert reveal(SecretStr("key")) == "key"
    for empty in ("", SecretStr("")):
        with pytest.raises(Invalid):
            reveal(empty)


def test_writer_keys_follow_from_the_encryption_key_alone() -> None:
    """Else `strongroom keys writer` prints another key than the repository was made with."""
    assert derive_writer_key("a") == derive_writer_key(SecretStr("a"))
    assert derive_writer_key("a") != derive_writer_key("b")


def test_generated_keys_differ() -> None:
    """Else two installations share one key."""
    assert len({generate_encryption_key() for _ in range(50)}) == 50


def test_a_provider_is_found_again() -> None:
    """Else the sealed parts of config never open again."""
    provider = PassphraseProvider("key", iterations=100_000)
    sealed = provider.seal(b"secret", b"context")
    again = PassphraseProvider.found("key", provider.describe())
    assert again.unseal(sealed, b"context") == b"secret"
    with pytest.raises(WrongKey):
        PassphraseProvider.found("other", provider.describe()).unseal(sealed, b"context")


@pytest.mark.parametrize(
    "description",
    [
        {},
        {"provider": "vault"},
        {"provider": "pbkdf2-sha256"},
        {"provider": "pbkdf2-sha256", "salt": "?", "iterations": 600_000},
        {"provider": "pbkdf2-sha256", "salt": "", "iterations": 99_999},
        {"provider": "pbkdf2-sha256", "salt": "", "iterations": 10_000_001},
        {"provider": "pbkdf2-sha256", "salt": "", "iterations": 10**12},
        {"provider": "pbkdf2-sha256", "salt": 7, "iterations": "many"},
    ],
)
def test_a_description_that_makes_no_sense_is_refused(description: dict[str, object]) -> None:
    """Else a hostile config crashes a reader, keeps it busy, or looks like a usage error."""
    with pytest.raises(Corrupt, match="config is damaged"):
        PassphraseProvider.found("key", description)
