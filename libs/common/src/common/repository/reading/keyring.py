"""Run keys, unwrapped when they are needed."""

from collections.abc import Callable, Iterable

from common.crypto.hpke import PrivateKey
from common.errors import Corrupt, NotFound
from common.repository.damage import Damaged
from common.repository.format.names import key_name
from common.repository.format.runkey import RunKey
from common.repository.format.wrappedkey import WrappedKey
from common.repository.session import Session

Renew = Callable[[], Iterable[PrivateKey]]
"""Gives the private keys that the repository has now: its key pair may be changed meanwhile."""


class KeyRing:
    """Opens run keys for the holder of private keys. May be used by several threads at once."""

    def __init__(
        self, session: Session, privates: Iterable[PrivateKey], renew: Renew | None = None
    ) -> None:
        self._session = session
        self._privates = {private.public.recipient: private for private in privates}
        self._renew = renew
        self._keys: dict[bytes, RunKey | Damaged] = {}

    def get(self, key_id: bytes) -> RunKey:
        """A run key.

        Raises:
            Damaged: its object is missing, damaged, or not for these private keys.
        """
        found = self._keys.get(key_id)
        if found is None:
            found = self._keys[key_id] = self._open(key_id)
        if isinstance(found, Damaged):
            raise found
        return found

    def unwrap(self, wrapped: WrappedKey) -> RunKey:
        """The run key in this object.

        Raises:
            Corrupt: it is not wrapped to these private keys, or does not open.
        """
        mine = self._privates.keys() & wrapped.wrapped.keys()
        if not mine and self._renew is not None:
            self._privates = {private.public.recipient: private for private in self._renew()}
            mine = self._privates.keys() & wrapped.wrapped.keys()
        recipient = min(mine or self._privates)
        return wrapped.unwrap(self._privates[recipient], recipient)

    def is_past(self, wrapped: WrappedKey) -> bool:
        """Whether this is wrapped to a key pair alone that was changed since it was written."""
        older = wrapped.generation < self._session.config.generation
        return older and not self._privates.keys() & wrapped.wrapped.keys()

    def _open(self, key_id: bytes) -> RunKey | Damaged:
        name = key_name(key_id)
        try:
            return self.unwrap(self._session.read_key(name))
        except NotFound:
            return Damaged.gone(name)
        except Corrupt as error:
            return Damaged.because(name, error)
