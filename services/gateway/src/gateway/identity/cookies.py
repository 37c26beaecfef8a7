"""The cookie of a console's session, and the token that shows that the console sent a request.

The CSRF token is derived from the session's own: it is bound to the session, ends with it, and is
stored nowhere. A page of another site can neither read it nor set a header.
"""

import hashlib
import hmac

from starlette.requests import Request
from starlette.responses import Response

CSRF_HEADER = "x-csrf-token"
_PLAIN = "strongroom_session"
_HOST = "__Host-strongroom_session"  # a browser takes it only with Secure, for this host alone


def csrf_token(token: str) -> str:
    """What a request in the session with this token has to show."""
    return hmac.new(token.encode(), b"strongroom csrf", hashlib.sha256).hexdigest()


def csrf_holds(request: Request, token: str) -> bool:
    """Whether the request shows the CSRF token of the session."""
    shown = request.headers.get(CSRF_HEADER, "").encode("latin-1", "replace")
    return hmac.compare_digest(shown, csrf_token(token).encode())


def secure(request: Request) -> bool:
    """Whether the browser is to send cookies by https alone."""
    public: str = request.app.state.runtime.settings.gateway_public_url
    return request.url.scheme == "https" or public.startswith("https:")


def token_of(request: Request) -> str:
    """The token in the cookie, or an empty string."""
    return request.cookies.get(_HOST if secure(request) else _PLAIN, "")


def keep(request: Request, response: Response, token: str) -> None:
    """Put the session's token into the browser, until it is closed or the session ends."""
    https = secure(request)
    response.set_cookie(
        _HOST if https else _PLAIN,
        token,
        httponly=True,
        secure=https,
        samesite="strict",
        path="/",
    )


def forget(request: Request, response: Response) -> None:
    """Take the token out of the browser."""
    https = secure(request)
    response.delete_cookie(
        _HOST if https else _PLAIN, httponly=True, secure=https, samesite="strict", path="/"
    )


def by_cookie(request: Request) -> bool:
    """Whether the cookie alone says who sends the request."""
    return "authorization" not in request.headers and bool(token_of(request))


def csrf_shown(request: Request) -> str | None:
    """The CSRF token for the console that asks; None for everybody else."""
    return csrf_token(token_of(request)) if by_cookie(request) else None


def foreign(request: Request) -> bool:
    """Whether the browser says that another site made it send the request.

    Otherwise that site could log a visitor in as somebody else.
    """
    return request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}


def _journey(request: Request) -> str:
    return "__Host-strongroom_oidc" if secure(request) else "strongroom_oidc"


def begin_journey(request: Request, response: Response, token: str) -> None:
    """Let the browser that goes to a provider be known when it comes back from there.

    Lax and not strict: it is the provider's page that sends it back.
    """
    response.set_cookie(
        _journey(request),
        token,
        max_age=300,
        httponly=True,
        secure=secure(request),
        samesite="lax",
        path="/",
    )


def journey_of(request: Request) -> str:
    """The token of a browser that comes back, or an empty string."""
    return request.cookies.get(_journey(request), "")


def end_journey(request: Request, response: Response) -> None:
    """Forget the journey."""
    response.delete_cookie(
        _journey(request), httponly=True, secure=secure(request), samesite="lax", path="/"
    )
