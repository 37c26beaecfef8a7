"""A provider of OpenID Connect on this machine: real HTTP, real signatures."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

CLIENT, SECRET = "strongroom", "s3cret:with%odd characters"


class Provider(ThreadingHTTPServer):
    """``codes`` are what it has given out and for what; ``lies`` change the next ID tokens."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.key = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})
        self.signer: RSAKey | OctKey = self.key
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "first"}
        self.codes: dict[str, dict[str, Any]] = {}
        self.lies: dict[str, Any] = {}

    def log_in(self, address: str, **claims: Any) -> dict[str, str]:
        """What the browser brings back after its user has logged in at ``address``."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = secrets.token_urlsafe(16)
        self.codes[code] = {"asked": asked, "claims": claims}
        return {"code": code, "state": asked["state"]}

    def answer(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """The tokens for a code, to the client alone, once, and only with the verifier."""
        given = self.codes.pop(form.get("code", ""), None)
        expected = base64.b64encode(b"strongroom:s3cret%3Awith%25odd%20characters").decode()
        if given is None or authorization != f"Basic {expected}":
            return None
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        asked = given["asked"]
        if (challenge, form["redirect_uri"]) != (asked["code_challenge"], asked["redirect_uri"]):
            return None
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 60}
        claims |= {"nonce": asked["nonce"], **given["claims"], **self.lies}
        token = jwt.encode(self.header, claims, self.signer, algorithms=["RS256", "HS256"])
        return {"id_token": token, "access_token": "x", "token_type": "Bearer"}


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def log_message(self, *arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/.well-known/openid-configuration":
            url = self.server.url
            self._answer(
                {
                    "issuer": url,
                    "authorization_endpoint": f"{url}/authorize",
                    "token_endpoint": f"{url}/token",
                    "jwks_uri": f"{url}/keys",
                }
            )
        else:
            self._answer(KeySet([self.server.key]).as_dict(private=False))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        answer = self.server.answer(form, self.headers.get("Authorization", ""))
        self._answer(answer or {"error": "invalid_grant"}, 200 if answer else 400)

    def _answer(self, document: Any, status: int = 200) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def provider() -> Iterator[Provider]:
    """A provider for the length of the block."""
    server = Provider()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
