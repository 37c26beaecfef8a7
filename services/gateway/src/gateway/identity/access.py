"""Default deny: a route that declares neither a permission nor that it is public does not exist.

The declaration stands on the endpoint, below the router's decorator; ``GuardedRoute`` refuses an
endpoint without one when the module is imported, and admits nobody before the body is read.
"""

from collections.abc import Callable, Coroutine, Iterable
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from common.web import always_send, error_answers
from gateway.identity import cookies
from gateway.identity.admitting import Access
from gateway.identity.domain import Caller, Client, Limit, Permission
from gateway.identity.handlers import Identity
from gateway.limits.domain import Kind
from gateway.limits.limiter import Counted
from gateway.platform import found_in, kept

F = TypeVar("F", bound=Callable[..., Any])
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LONGEST_USER_AGENT = 512
LONGEST_RESOURCE = 512


def _declare(access: Access) -> Callable[[F], F]:
    def mark(endpoint: F) -> F:
        endpoint.__dict__["access"] = access
        return endpoint

    return mark


def public(endpoint: F) -> F:
    """Everybody may use the route, logged in or not."""
    return _declare(Access(public=True))(endpoint)


def session(
    *, fresh: bool = False, keys: bool = False, limits: Iterable[Limit] = ()
) -> Callable[[F], F]:
    """Every user may use the route: with a fresh factor, by an API key, in a limited session."""
    return _declare(Access(fresh=fresh, keys=keys, limits=frozenset(limits)))


def needs(
    permission: Permission, *, fresh: bool = False, stations: bool = False
) -> Callable[[F], F]:
    """Only users with the permission may use the route.

    ``fresh``: and only when they have given a factor lately. ``stations``: the endpoint holds
    callers that are bound to a station to it; without that they are refused.
    """
    return _declare(Access(permission=permission, fresh=fresh, stations=stations))


def limited(kind: Kind | None) -> Callable[[F], F]:
    """How requests are counted; None: not at all, for an orchestrator's probes."""

    def mark(endpoint: F) -> F:
        endpoint.__dict__["kind"] = kind
        return endpoint

    return mark


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


async def _admit(request: Request, access: Access, counted: Counted) -> Caller:
    """Who sends the request, by a bearer token or else by the cookie of a console.

    A cookie comes with whatever makes the browser send a request, so it counts only with a header
    that no other site can set.
    """
    identity = identity_of(request)
    client = client_of(request)
    if "authorization" in request.headers:
        return await identity.admit(_bearer(request), access, client, counted)
    token = cookies.token_of(request)
    if token and request.method not in SAFE and not cookies.csrf_holds(request, token):
        await identity.refuse_forged(client)
    return await identity.admit(token, access, client, counted)


class GuardedRoute(APIRoute):
    """A route that knows who may use it, checks it, and says so in the documentation."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        access = getattr(endpoint, "access", None)
        if not isinstance(access, Access):
            raise TypeError(f"{path} declares neither a permission nor that it is public")
        self.access = access
        self.kind: Kind | None = getattr(endpoint, "kind", Kind.NORMAL)
        super().__init__(path, endpoint, **_documented(access, self.kind, options))

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint behind the check."""
        handle = super().get_route_handler()
        access, kind = self.access, self.kind
        if kind is None:
            if not access.public:
                raise TypeError(f"{self.path} is for known callers, who are counted")
            return handle

        async def guarded(request: Request) -> Response:
            counted = Counted(kind, always_send(request.scope))
            if access.public:
                await identity_of(request).count(client_of(request), counted)
            else:
                request.state.caller = await _admit(request, access, counted)
            return await handle(request)

        return guarded


def _documented(access: Access, kind: Kind | None, options: dict[str, Any]) -> dict[str, Any]:
    answers = error_answers(400, 413, 422, 500, 503)
    extra: dict[str, Any] = {}
    if kind is not None:
        answers |= error_answers(429)
    if not access.public:
        answers |= error_answers(401, 403)
        extra["security"] = [{"session": []}, {"cookie": []}]
    if access.permission:
        extra["x-permission"] = access.permission.value
    if access.fresh:
        extra["x-fresh-factor"] = True
    options["responses"] = answers | (options.get("responses") or {})
    options["openapi_extra"] = extra | (options.get("openapi_extra") or {})
    return options


def guarded_router(**options: Any) -> APIRouter:
    """A router whose routes have to declare who may use them."""
    return APIRouter(route_class=GuardedRoute, **options)


def identity_of(request: Request) -> Identity:
    """The identity service of the application."""
    return found_in(request, "identity", Identity)


async def the_client(request: Request) -> Client:
    """Where the request comes from, as a dependency."""
    return client_of(request)


async def _the_caller(request: Request) -> Caller:
    caller = request.state.caller
    if not isinstance(caller, Caller):
        raise TypeError(caller)
    return caller


TheCaller = Annotated[Caller, Depends(_the_caller)]
TheIdentity = Annotated[Identity, Depends(kept("identity", Identity))]
