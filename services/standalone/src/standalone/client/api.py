"""Requests to the gateway."""

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import httpx

from common.errors import Invalid, Unavailable
from standalone.client import answers, credentials

DEFAULT_SERVER = "http://127.0.0.1:8000"
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
STREAM_TIMEOUT = httpx.Timeout(30.0, connect=5.0, read=60.0)  # a stream breaks every silence


class Api:
    """A server, and who is logged in there. Every failure is a ``common.errors.Error``."""

    def __init__(self, server: str, token: str = "") -> None:
        self.server = server.rstrip("/")
        if not self.server.startswith(("http://", "https://")):
            raise Invalid(
                f"'{server}' is no address of a server.", remedy=f"Write it like {DEFAULT_SERVER}."
            )
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=self.server, headers=headers, timeout=TIMEOUT)

    def get(self, path: str, **query: Any) -> Any:
        """The document at ``path``."""
        return self.send("GET", path, params={k: v for k, v in query.items() if v is not None})

    def post(self, path: str, body: Any = None) -> Any:
        """Ask for something to be done."""
        return self.send("POST", path, json=body if body is not None else {})

    def send(self, method: str, path: str, **options: Any) -> Any:
        """One request and the document of its answer."""
        with self._reaching():
            answer = self._http.request(method, path, **options)
        return answers.read(answer)

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
            raise Unavailable(
                f"No Strongroom answers at {self.server}.",
                remedy="Start it (strongroom up), or name another address with --server.",
            ) from error
        except httpx.TimeoutException as error:
            raise Unavailable(
                f"{self.server} did not answer in time.", remedy="Try again."
            ) from error
        except httpx.TransportError as error:
            raise Unavailable(f"The connection to {self.server} broke: {error}.") from error

    def __enter__(self) -> Self:
        """Use the connection for the length of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._http.close()


def connect(server: str) -> Api:
    """``server``, or that of the last login, as whoever logged in there, or as nobody."""
    address = (server or credentials.last_server() or DEFAULT_SERVER).rstrip("/")
    return Api(address, credentials.token_for(address))
