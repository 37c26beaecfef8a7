"""Recovery codes: random enough that guessing them is no way in."""

import re
import secrets

RECOVERY_CODES = 10
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_GROUPS, _LENGTH = 4, 4


def new_recovery_codes() -> list[str]:
    """Codes of 79 bits each, each good for one time."""
    return [
        "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH)) for _ in range(_GROUPS))
        for _ in range(RECOVERY_CODES)
    ]


def plain(recovery_code: str) -> str:
    """A recovery code as it is compared, however it was typed."""
    return re.sub(r"[\s-]", "", recovery_code).lower()
