"""Servers on loopback that speak as much of Vault and of KMS as is documented and used here."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, Any]]
Act = Callable[["Request"], Answer]


class Request:
    """What came in."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self.path = handler.path
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        length = int(self.headers.get("content-length", 0))
        self.body: dict[str, Any] = json.loads(handler.rfile.read(length) or b"{}")


@contextmanager
def server(act: Act) -> Iterator[str]:
    """The address of a server that answers every request by ``act``."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            status, body = act(Request(self))
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = answer  # noqa: N815 - the names that the library calls

        def log_message(self, *arguments: Any) -> None:
            del arguments

    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.daemon_threads = True
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{found.server_port}"
    finally:
        found.shutdown()
        thread.join(5)
        found.server_close()


TOKEN = "hvs.the-token-that-opens-the-vault"
ROLE, SECRET_ID = "strongroom", "secret-id-of-the-role"


class Vault:
    """KV version 2 under ``secret/``, transit under ``transit/``, AppRole logins."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.encrypted: dict[str, str] = {}
        self.failures = 0
        """So many requests are answered by 503 first."""
        self.requests: list[str] = []

    def __call__(self, request: Request) -> Answer:
        self.requests.append(request.path)
        if self.failures:
            self.failures -= 1
            return 503, {"errors": ["Vault is sealed"]}
        if request.path == "/v1/auth/approle/login":
            if request.body != {"role_id": ROLE, "secret_id": SECRET_ID}:
                return 400, {"errors": [f"invalid secret id {request.body['secret_id']}"]}
            return 200, {"auth": {"client_token": TOKEN}}
        if request.headers.get("x-vault-token") != TOKEN:
            return 403, {"errors": [f"permission denied for {request.headers['x-vault-token']}"]}
        return self._answer(request)

    def _answer(self, request: Request) -> Answer:
        path, _, _ = request.path.partition("?")
        if path.startswith("/v1/transit/decrypt/"):
            plain = self.encrypted.get(f"{path.rpartition('/')[2]}#{request.body['ciphertext']}")
            if plain is None:
                return 400, {"errors": ["cipher: message authentication failed"]}
            return 200, {"data": {"plaintext": plain}}
        found = self.kept.get(path.removeprefix("/v1/"))
        if found is None:
            return 404, {"errors": []}
        return 200, {"data": {"data": found, "metadata": {"version": 1}}}


class Kms:
    """``TrentService.Decrypt`` as JSON 1.1; ``kept`` has plaintexts by ciphertext, both base64."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.refusals: list[str] = []
        """Codes that the next requests are refused with."""
        self.requests = 0

    def __call__(self, request: Request) -> Answer:
        self.requests += 1
        assert request.headers["x-amz-target"] == "TrentService.Decrypt"
        assert request.headers["content-type"] == "application/x-amz-json-1.1"
        assert "/eu-central-1/kms/aws4_request" in request.headers["authorization"]
        if self.refusals:
            return 400, {"__type": self.refusals.pop(0), "message": "no"}
        plain = self.kept.get(request.body["CiphertextBlob"])
        if plain is None:
            return 400, {"__type": "InvalidCiphertextException"}
        return 200, {"Plaintext": plain, "KeyId": "arn:aws:kms:eu-central-1:1:key/k"}
