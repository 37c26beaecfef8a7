"""The client of the HTTP API: what it says when things are not as they should be."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
ID = "019ab0c4-7d1e-7c3a-9b57-6a1f0f3c2d11"


class Double(ThreadingHTTPServer):
    """Answers as the gateway documents; ``operation`` is what it says of every operation."""

    operation: dict[str, Any]
    asked: list[str]


class Handler(BaseHTTPRequestHandler):
    """A few routes."""

    server: Double

    def log_message(self, *arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.headers["Authorization"] != "Bearer the-token":
            self._answer(401, {"error": {"code": "unauthorized", "message": "Who?", "details": {}}})
        elif self.path.startswith("/api/events/stream"):
            self._stream()
        elif self.path == "/api/auth/mfa":
            self._answer(200, {"totp": True, "passkeys": 0, "recovery_codes_left": 9})
        elif self.path.startswith("/api/operations/"):
            self._answer(200, self.server.operation)
        elif self.path == f"/api/backups/{ID}":
            self._answer(200, {"id": ID, "name": "nightly", "state": "completed"})
        else:
            self._answer(200, {"backups": [], "total": 0})

    def do_POST(self) -> None:
        self.server.asked.append(self.path)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/api/auth/login":
            limit = self.server.operation.get("limit")
            self._answer(200, {"token": "the-token", "limit": limit, "user": {"name": "admin"}})
        elif self.path == "/api/auth/password":
            refused = {"code": "step_up_required", "message": "No.", "details": {"remedy": "x"}}
            self._answer(403, {"error": refused})
        else:
            self._answer(202, {"id": ID, "kind": "backup", "state": "queued", "result": None})

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self) -> None:
        self.send_response(200)
        self.end_headers()
        progress = {"phase": "files", "done_bytes": 1, "total_bytes": 2, "entries": 1}
        for event in (
            {"id": ID, "state": "running"},
            {"type": "job.progressed", "data": {**progress, "current": ""}},
            {"type": "backup.completed", "data": {}},
        ):
            self.wfile.write(b": comment\n\ndata: " + json.dumps(event).encode() + b"\n\n")


@pytest.fixture
def server() -> Iterator[Double]:
    with Double(("127.0.0.1", 0), Handler) as double:
        double.operation, double.asked = {}, []
        thread = threading.Thread(target=double.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield double
        finally:
            double.shutdown()
            thread.join()


@pytest.fixture
def address(server: Double, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.delenv("STRONGROOM_SERVER", raising=False)
    monkeypatch.setenv("STRONGROOM_PASSWORD", "secret")
    return url


def _operation(state: str, **fields: Any) -> dict[str, Any]:
    return {"id": ID, "kind": "backup", "state": state, "result": None, **fields}


def test_the_token_is_kept_for_its_owner_alone(
    strongroom: Run, address: str, tmp_path: Path
) -> None:
    """Lost: the session, to anyone who reads the home directory."""
    outcome = strongroom("login", address)
    file = tmp_path / "config" / "strongroom" / "credentials.json"
    assert outcome.code == 0
    kept = json.loads(file.read_text())
    assert (kept["server"], kept["tokens"]) == (address, {address: "the-token"})
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert "secret" not in outcome.out + outcome.err + file.read_text()


def test_a_login_that_is_not_enough_says_what_is_missing(
    strongroom: Run, server: Double, address: str
) -> None:
    """Lost: the next step after the first login with the printed password."""
    server.operation = {"limit": "password_change"}
    outcome = strongroom("login", address)
    assert outcome.code == 0
    assert "strongroom password" in outcome.err
    server.operation = {"limit": "second_factor"}
    outcome = strongroom("login", address)
    assert outcome.code == 2
    assert "STRONGROOM_TOKEN" in outcome.err


def test_a_refusal_is_told_in_terms_of_commands(
    strongroom: Run, address: str, tmp_path: Path
) -> None:
    """Lost: the next step; the server's own names an address of the API."""
    file = tmp_path / "password"
    file.write_text("secret\n")
    files = ("--current-file", file, "--new-file", file)
    outcome = strongroom("password", *files, "--server", address)
    assert outcome.code == 4
    assert "Run: strongroom login" in outcome.err


def test_without_a_login_it_says_how_to_log_in(strongroom: Run, address: str) -> None:
    """Lost: the next step."""
    outcome = strongroom("backups", "--server", address)
    assert outcome.code == 4
    assert "strongroom login" in outcome.err


def test_a_backup_is_followed_to_its_end(strongroom: Run, address: str, server: Double) -> None:
    """Lost: knowing when it is done, and that something was left out."""
    part = {"name": "files", "kind": "files", "entries": 3, "size_bytes": 2000}
    result = {"components": [part], "warnings": ["a gap"], "size_bytes": 2000}
    result |= {"stored_bytes": 10, "duration_seconds": 1.0}
    server.operation = _operation("succeeded", result=result)
    strongroom("login", address)
    outcome = strongroom("backup", "files")
    assert outcome.code == 1
    assert "2.0 kB" in outcome.out
    assert "a gap" in outcome.err
    assert f"/api/events/stream?operation={ID}" in server.asked


def test_a_restore_names_the_databases_that_it_made(
    strongroom: Run, address: str, server: Double
) -> None:
    """Lost: where it is, behind an empty line."""
    result = {"entries": 1, "size_bytes": 7, "duration_seconds": 1.0, "target": "", "warnings": []}
    asked = {"databases": {"shop": "shop_of_monday"}}
    server.operation = _operation("succeeded", result=result, request=asked)
    strongroom("login", address)
    outcome = strongroom("restore", ID, "--database", "shop=shop_of_monday")
    assert (outcome.code, outcome.out) == (0, "shop_of_monday\n")


def test_a_failed_operation_is_its_own_exit_code(
    strongroom: Run, address: str, server: Double
) -> None:
    """Lost: the reason of a failure, which the server knows."""
    failure = {"code": "no_space", "message": "The disk is full.", "remedy": "Free some."}
    server.operation = _operation("failed", failure=failure)
    strongroom("login", address)
    outcome = strongroom("backup", "--json")
    assert outcome.code == 9
    assert "The disk is full. Free some." in outcome.err


def test_no_server_is_a_sentence(strongroom: Run) -> None:
    """Lost: the difference between a stopped server and a broken command."""
    outcome = strongroom("status", "--server", "http://127.0.0.1:1")
    assert outcome.code == 10
    assert "No Strongroom answers" in outcome.err


def test_nothing_is_deleted_without_a_word(strongroom: Run, address: str) -> None:
    """Lost: a backup, to a script with a wrong variable."""
    strongroom("login", address)
    outcome = strongroom("delete", "latest")
    assert outcome.code == 5
    unattended = strongroom("restore", "latest", "--in-place")
    assert unattended.code == 5


def test_a_password_in_clear_is_warned_of(strongroom: Run) -> None:
    """Lost: the administrator's password, on the way to another machine."""
    outcome = strongroom("login", "http://192.0.2.1:9")
    assert "not encrypted" in outcome.err
