"""Fernet tokens under keys of their own for each purpose, all from one master key.

A token of one purpose does not open as another's. The first of several master keys seals; each
opens, so that what was sealed before a rotation stays readable.
"""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from common.crypto.kdf import derive
from common.crypto.stretching import stretch
from common.errors import Invalid

_INFO = "strongroom purpose "
_ID = "strongroom/v1/purposes/id"
_CACHED = 256


class NotOpened(Invalid):
    """Decryption failed: no key here made this token for this purpose, or it was changed."""

    code = "decryption_failed"


@dataclass(frozen=True, slots=True)
class Opened:
    """What a token held, when it was made, and whether by a key that is not the newest."""

    text: str
    made_at: datetime
    outdated: bool


class PurposeKeys:
    """Seals and opens text for a purpose. Making one is slow on purpose: do it in a thread."""

    def __init__(self, keys: Sequence[str], salt: str) -> None:
        self._masters = [stretch(key.encode(), salt.encode()) for key in keys]
        self._fernets = lru_cache(_CACHED)(self._make)
        self.ids = [derive(master, _ID, size=8).hex() for master in self._masters]
        """The ids of the keys, newest first; they tell nothing of them."""

    def _make(self, purpose: str) -> tuple[MultiFernet, Fernet]:
        info = _INFO + purpose.encode().hex()
        each = [Fernet(urlsafe_b64encode(derive(master, info))) for master in self._masters]
        return MultiFernet(each), each[0]

    def seal(self, purpose: str, text: str) -> str:
        """A token that only these keys open, for this purpose."""
        return self._fernets(purpose)[0].encrypt(text.encode()).decode()

    def open(self, purpose: str, token: str) -> Opened:
        """What is in a token.

        Raises:
            NotOpened: it was made with other keys, for another purpose, or changed.
        """
        every, newest = self._fernets(purpose)
        try:
            sealed = token.encode("ascii")
            text = every.decrypt(sealed).decode()
            made = datetime.fromtimestamp(every.extract_timestamp(sealed), UTC)
        except (InvalidToken, ValueError) as error:
            raise NotOpened from error
        try:
            newest.extract_timestamp(sealed)
        except InvalidToken:
            return Opened(text, made, outdated=True)
        return Opened(text, made, outdated=False)
