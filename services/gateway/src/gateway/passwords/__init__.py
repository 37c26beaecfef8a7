"""Which passwords are good enough, and how they are kept."""

from gateway.passwords.hashing import Hashing
from gateway.passwords.history import NewPasswords

__all__ = ["Hashing", "NewPasswords"]
