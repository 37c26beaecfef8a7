"""A recovery key in shares on paper: SLIP-0039, of which any ``threshold`` make the key again."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from shamir_mnemonic import MnemonicError, Share, combine_mnemonics, generate_mnemonics
from shamir_mnemonic.wordlist import WORD_INDEX_MAP

from common.crypto.hpke import PrivateKey
from common.crypto.keys import RECOVERY_PREFIX, read_key, write_key
from common.errors import Invalid, WrongKey

MOST_SHARES = 16
_KEY_LINE = "# key "
_WORDS_A_LINE = 11


def split(recovery_key: str, shares: int, threshold: int) -> list[str]:
    """The texts of so many shares.

    Raises:
        WrongKey: this is no recovery key.
        Invalid: there cannot be such shares.
    """
    if not 2 <= threshold <= shares <= MOST_SHARES:  # noqa: PLR2004 - one share would be the key
        raise Invalid(
            f"There are no {shares} shares of which {threshold} make the key.",
            remedy=f"Take 2 to {MOST_SHARES} shares, and a threshold of 2 to that many.",
        )
    key = PrivateKey(read_key(RECOVERY_PREFIX, recovery_key))
    (mnemonics,) = generate_mnemonics(1, [(threshold, shares)], key.seed)
    name = key.public.recipient.hex()
    return [
        _text(number, shares, threshold, name, mnemonic)
        for number, mnemonic in enumerate(mnemonics, 1)
    ]


def combine(texts: Mapping[str, str]) -> str:
    """The recovery key in its text form, from enough of its shares, by the names of their files.

    Raises:
        Invalid: a share is mistyped, of another key, or there are too few. Never says a word of it.
    """
    mnemonics = [_words(name, text) for name, text in texts.items()]
    read = [_read(name, mnemonic) for name, mnemonic in zip(texts, mnemonics, strict=True)]
    threshold = max(share.member_threshold for share in read) if read else 2
    if len({share.identifier for share in read}) > 1:
        raise Invalid("These shares are of several keys, or of several splits of one.")
    different = {share.index: mnemonic for share, mnemonic in zip(read, mnemonics, strict=True)}
    if len(different) < threshold:
        raise Invalid(f"{threshold} different shares are needed; these are {len(different)}.")
    try:
        seed = combine_mnemonics(list(different.values())[:threshold])
    except MnemonicError:
        raise Invalid("These shares make no key: they do not belong together.") from None
    return _checked(PrivateKey(seed), texts.values())


def _checked(key: PrivateKey, texts: Iterable[str]) -> str:
    named = {
        line.removeprefix(_KEY_LINE).strip()
        for text in texts
        for line in text.splitlines()
        if line.startswith(_KEY_LINE)
    }
    if named - {key.public.recipient.hex()}:
        raise WrongKey("These shares make another key than the one that they name.")
    return write_key(RECOVERY_PREFIX, key.seed)


def _text(number: int, shares: int, threshold: int, name: str, mnemonic: str) -> str:
    words = mnemonic.split()
    rows = [words[start : start + _WORDS_A_LINE] for start in range(0, len(words), _WORDS_A_LINE)]
    head = (
        f"# Strongroom recovery key, share {number} of {shares}, {datetime.now(UTC):%Y-%m-%d}.",
        f"# Any {threshold} of the shares make the key again: strongroom keys combine",
        "# It opens every backup of its repositories. A single share opens nothing.",
        f"{_KEY_LINE}{name}",
        "# SLIP-0039, without a passphrase:",
    )
    return "\n".join([*head, *(" ".join(row) for row in rows)]) + "\n"


def _words(name: str, text: str) -> str:
    found: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#"):
            continue
        words = line.lower().split()
        if not WORD_INDEX_MAP.keys() >= set(words):
            raise _wrong(f"{name}, line {number}, has a word of no share.")
        found += words
    return " ".join(found)


def _read(name: str, mnemonic: str) -> Share:
    try:
        return Share.from_mnemonic(mnemonic)
    except (MnemonicError, ValueError):
        raise _wrong(f"The words in {name} make no share.") from None


def _wrong(message: str) -> Invalid:
    return Invalid(message, remedy="Compare its words with the original.")
