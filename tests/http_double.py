"""An HTTP server that answers as it is told, and remembers what it was asked."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Double(ThreadingHTTPServer):
    """Answers each request by the next of its answers; the last one is repeated."""

    answers: dict[str, list[tuple[int, Any]]]
    asked: list[tuple[str, Any]]
    devices: list[str | None]

    def said(self, request: str) -> list[Any]:
        """The bodies that came with such requests."""
        return [body for asked, body in self.asked if asked == request]


class Handler(BaseHTTPRequestHandler):
    """Looks its answer up."""

    server: Double

    def log_message(self, *arguments: Any) -> None:
        pass

    def _answer(self) -> None:
        request = f"{self.command} {self.path}"
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((request, json.loads(content) if content else None))
        self.server.devices.append(self.headers["X-Device-Token"])
        waiting = self.server.answers[request]
        status, body = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        written = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(written)))
        self.send_header("Retry-After", "7")
        self.send_header("X-Device-Token", "known-device")
        self.end_headers()
        self.wfile.write(written)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer  # noqa: N815 - the base's names


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Double]:
    with Double(("127.0.0.1", 0), Handler) as double:
        double.answers, double.asked, double.devices = {}, [], []
        if tls:
            double.socket = tls.wrap_socket(double.socket, server_side=True)
        thread = threading.Thread(target=double.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield double
        finally:
            double.shutdown()
            thread.join()


def refused(status: int, code: str, **details: Any) -> tuple[int, Any]:
    return status, {"error": {"code": code, "message": "No.", "details": details}}
