"""Requests to the gateway."""

import json
import ssl
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, Self

import httpx

from common.errors import Forbidden, Invalid, Unavailable
from standalone.client import answers, credentials, proving, trust

DEFAULT_SERVER = "http://127.0.0.1:8000"
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
KEY_PREFIX = "sgk_"
STREAM_TIMEOUT = httpx.Timeout(30.0, connect=5.0, read=60.0)  # a stream breaks every silence


class Api:
    """A server, and who is logged in there. Every failure is a ``common.errors.Error``.

    Where the server demands a fresh factor and there is a terminal, it is asked for.
    """

    def __init__(self, server: str, token: str = "", trusted: ssl.SSLContext | None = None) -> None:
        self.server = server.rstrip("/")
        if not self.server.startswith(("http://", "https://")):
            raise Invalid(
                f"'{server}' is no address of a server.", remedy=f"Write it like {DEFAULT_SERVER}."
            )
        headers = {"User-Agent": "strongroom"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        self._by_key = token.startswith(KEY_PREFIX)
        self._http = httpx.Client(
            base_url=self.server,
            headers=headers,
            timeout=TIMEOUT,
            verify=trusted or trust.context(self.server),
        )

    def get(self, path: str, **query: Any) -> Any:
        """The document at ``path``."""
        return self.send("GET", path, params={k: v for k, v in query.items() if v is not None})

    def post(self, path: str, body: Any = None) -> Any:
        """Ask for something to be done."""
        return self.send("POST", path, json=body if body is not None else {})

    def send(self, method: str, path: str, **options: Any) -> Any:
        """One request and the document of its answer."""
        try:
            return answers.read(self.exchange(method, path, **options))
        except Forbidden as refused:
            if refused.code != answers.STEP_UP:
                raise
            if self._by_key:
                refused.remedy = "It takes a key that was made with: apikeys create --sensitive"
                raise
            proving.prove(self.send, refused)
        return answers.read(self.exchange(method, path, **options))

    def exchange(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request and its answer, whatever it says."""
        with self._reaching():
            return self._http.request(method, path, **options)

    def events(self, path: str, **query: Any) -> Generator[dict[str, Any], None, None]:
        """The events of a stream (SSE) from now on; an empty one is a sign of life."""
        with (
            self._reaching(),
            self._http.stream("GET", path, params=query, timeout=STREAM_TIMEOUT) as answer,
        ):
            if not answer.is_success:
                answer.read()
                answers.read(answer)
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))
                elif line.startswith(":"):
                    yield {}

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectError as error:
            raise self._unreachable(str(error)) from error
        except httpx.TimeoutException as error:
            raise Unavailable(
                f"{self.server} did not answer in time.", remedy="Try again."
            ) from error
        except httpx.TransportError as error:
            hint = "" if self.server.startswith("https") else "Perhaps it speaks https alone."
            raise Unavailable(
                f"The connection to {self.server} broke: {str(error).rstrip('.')}.", remedy=hint
            ) from error

    def _unreachable(self, reason: str) -> Unavailable:
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            why = reason.partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
            return Unavailable(
                f"The certificate of {self.server} is not trusted: {why or 'unknown authority'}.",
                remedy=f"Name the file of its authority in {trust.VARIABLE}.",
            )
        if "[SSL" in reason:
            return Unavailable(
                f"{self.server} does not speak https as expected.",
                remedy="Check the port, or write http://.",
            )
        return Unavailable(
            f"No Strongroom answers at {self.server}.",
            remedy="Start it (strongroom up), or name another address with --server.",
        )

    def __enter__(self) -> Self:
        """Use the connection for the length of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._http.close()


def connect(server: str) -> Api:
    """``server``, or that of the last login, as whoever logged in there, or as nobody."""
    address = (server or credentials.last_server() or DEFAULT_SERVER).rstrip("/")
    return Api(address, credentials.token_for(address))
