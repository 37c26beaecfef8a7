"""Default deny: a route that declares neither a permission nor that it is public does not exist.

The declaration stands on the endpoint, below the router's decorator; ``GuardedRoute`` refuses an
endpoint without one when the module is imported, and admits nobody before the body is read.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from common.web import error_answers
from gateway.identity.domain import Caller, Client, Permission
from gateway.identity.handlers import Identity

F = TypeVar("F", bound=Callable[..., Any])
LONGEST_USER_AGENT = 512
LONGEST_RESOURCE = 512


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use a route: everybody, every user, or users with the permission."""

    public: bool = False
    permission: Permission | None = None


def _declare(access: Access) -> Callable[[F], F]:
    def mark(endpoint: F) -> F:
        endpoint.__dict__["access"] = access
        return endpoint

    return mark


def public(endpoint: F) -> F:
    """Everybody may use the route, logged in or not."""
    return _declare(Access(public=True))(endpoint)


def logged_in(endpoint: F) -> F:
    """Every user may use the route, whatever the user's roles."""
    return _declare(Access())(endpoint)


def needs(permission: Permission) -> Callable[[F], F]:
    """Only users with the permission may use the route."""
    return _declare(Access(permission=permission))


def client_of(request: Request) -> Client:
    """Where the request comes from and what it is for."""
    return Client(
        address=request.client.host if request.client else "",
        user_agent=request.headers.get("user-agent", "")[:LONGEST_USER_AGENT],
        method=request.method,
        resource=quote(request.url.path)[:LONGEST_RESOURCE],
    )


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class GuardedRoute(APIRoute):
    """A route that knows who may use it, checks it, and says so in the documentation."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        access = getattr(endpoint, "access", None)
        if not isinstance(access, Access):
            raise TypeError(f"{path} declares neither a permission nor that it is public")
        self.access = access
        super().__init__(path, endpoint, **_documented(access, options))

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint behind the check."""
        handle = super().get_route_handler()
        access = self.access
        if access.public:
            return handle

        async def guarded(request: Request) -> Response:
            identity = identity_of(request)
            request.state.caller = await identity.admit(
                _bearer(request), access.permission, client_of(request)
            )
            return await handle(request)

        return guarded


def _documented(access: Access, options: dict[str, Any]) -> dict[str, Any]:
    answers = error_answers(413, 422, 500, 503)
    extra: dict[str, Any] = {}
    if not access.public:
        answers |= error_answers(401)
        extra["security"] = [{"session": []}]
    if access.permission:
        answers |= error_answers(403)
        extra["x-permission"] = access.permission.value
    options["responses"] = answers | (options.get("responses") or {})
    options["openapi_extra"] = extra | (options.get("openapi_extra") or {})
    return options


def guarded_router(**options: Any) -> APIRouter:
    """A router whose routes have to declare who may use them."""
    return APIRouter(route_class=GuardedRoute, **options)


def identity_of(request: Request) -> Identity:
    """The identity service of the application."""
    identity = request.app.state.identity
    if not isinstance(identity, Identity):
        raise TypeError(identity)
    return identity


def _caller_of(request: Request) -> Caller:
    caller = request.state.caller
    if not isinstance(caller, Caller):
        raise TypeError(caller)
    return caller


TheCaller = Annotated[Caller, Depends(_caller_of)]
TheIdentity = Annotated[Identity, Depends(identity_of)]
