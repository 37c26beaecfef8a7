"""Random tokens. Only their digest is stored: who reads the database cannot use what is in it."""

import hashlib
import secrets
import string

ALPHABET = string.ascii_letters + string.digits
LENGTH = 64


def new_token() -> str:
    """64 random letters and digits, about 381 bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def digest(token: str) -> bytes:
    """What is stored and looked up. A token is random enough that no salt and no work is needed.

    A look-up by digest leaks by its timing nothing that helps to guess a token.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
