"""Run keys, unwrapped when they are needed."""

from common.crypto.hpke import PrivateKey
from common.errors import Corrupt, NotFound
from common.repository.damage import Damaged
from common.repository.format.names import key_name
from common.repository.format.runkey import RunKey
from common.repository.session import Session


class KeyRing:
    """Opens run keys for the holder of a private key. May be used by several threads at once."""

    def __init__(self, session: Session, private: PrivateKey) -> None:
        self._session = session
        self._private = private
        self._recipient = private.public.recipient
        self._keys: dict[bytes, RunKey | Damaged] = {}

    def get(self, key_id: bytes) -> RunKey:
        """A run key.

        Raises:
            Damaged: its object is missing, damaged, or not for this private key.
        """
        found = self._keys.get(key_id)
        if found is None:
            found = self._keys[key_id] = self._open(key_id)
        if isinstance(found, Damaged):
            raise found
        return found

    def _open(self, key_id: bytes) -> RunKey | Damaged:
        name = key_name(key_id)
        try:
            return self._session.read_key(name).unwrap(self._private, self._recipient)
        except NotFound:
            return Damaged.gone(name)
        except Corrupt as error:
            return Damaged.because(name, error)
