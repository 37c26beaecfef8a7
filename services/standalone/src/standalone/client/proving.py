"""Giving a factor again, in the middle of a command that needs a fresh one."""

from collections.abc import Callable
from typing import Any

from common.errors import Forbidden
from standalone import console
from standalone.client import asking

Send = Callable[..., Any]


def prove(send: Send, refused: Forbidden) -> None:
    """Ask for the strongest factor that a terminal can give, and send it.

    Raises:
        Forbidden: as the server has refused, where there is nobody to ask; or there is a passkey
            alone, which a terminal cannot use.
    """
    if not asking.possible():
        raise refused
    standing = send("GET", "/api/auth/mfa")
    console.note("This needs a factor that was given just now.")
    send("POST", "/api/auth/step-up", json=_asked(standing))


def _asked(standing: dict[str, Any]) -> dict[str, str]:
    if usable(standing):
        return asking.factor()
    if standing["passkeys"]:
        raise PasskeyNeeded
    return {"password": asking.password("Password", None)}


def usable(standing: dict[str, Any]) -> bool:
    """Whether there is a second factor that can be typed."""
    return bool(standing["totp"] or standing["recovery_codes_left"])


class PasskeyNeeded(Forbidden):
    """This user has passkeys alone, which a terminal cannot use."""

    def __init__(self) -> None:
        super().__init__(remedy="Set STRONGROOM_TOKEN to an API key that was made in a browser.")
