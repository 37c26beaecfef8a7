"""The token by which a device is known to an account: a cookie, or a header for programs."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.limits.lockout import DEVICE_LIFE

HEADER = "X-Device-Token"
COOKIE = "strongroom_device"
PATH = "/api/auth"
LONGEST = 200


def token_of(request: Request) -> str:
    """What the request shows; empty if it shows nothing."""
    return (request.headers.get(HEADER) or request.cookies.get(COOKIE, ""))[:LONGEST]


def remember(response: Response, token: str, *, secure: bool) -> None:
    """Give a new token to the device, in either form."""
    response.headers[HEADER] = token
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(DEVICE_LIFE.total_seconds()),
        path=PATH,
        secure=secure,
        httponly=True,
        samesite="strict",
    )
