"""What a terminal shows."""

import io
import subprocess
import sys

import pytest
from rich.console import Console
from rich.progress import Progress

from standalone import console


def test_a_narrow_terminal_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost: the id that the next command needs; the end of a name."""
    shown = io.StringIO()
    terminal = Console(file=shown, width=60, soft_wrap=True)
    monkeypatch.setattr(console, "_console", lambda _: terminal)
    identity, name = "019ab0c4-7d1e-7c3a-9b57-6a1f0f3c2d11", "a" * 30 + "z"
    console.table(["id", "name", ">size"], [[identity, name, "12.0 MB"]])
    lines = shown.getvalue().splitlines()
    assert any(line.startswith(identity) for line in lines)
    assert "z" in shown.getvalue()


def test_a_client_loads_nothing_that_draws_before_it_has_an_answer() -> None:
    """Lost: a third of the time of every short command."""
    listed = "import standalone.client, sys; print({'rich', 'pygments'} & set(sys.modules))"
    outcome = subprocess.run(
        [sys.executable, "-c", listed], check=True, capture_output=True, text=True, timeout=60
    )
    assert outcome.stdout.strip() == "set()"


def test_a_total_that_is_not_known_any_more_is_not_shown() -> None:
    """Lost: trust in a bar that says 100 % of a backup with more in it than the last one."""
    with Progress(console=Console(file=io.StringIO())) as drawn:
        bar = console._Bar("backup", drawn)
        bar("files", 90, 100, 1, "")
        assert drawn.tasks[0].percentage == 90
        bar("files", 120, None, 2, "")
        assert drawn.tasks[0].total is None


class Terminal(io.StringIO):
    """Somebody looks."""

    def isatty(self) -> bool:
        return True


def test_a_name_does_nothing_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost: what else the command has to say, or the terminal, to who named a backup."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    with console.progress("restore") as report:
        report("\x1b]0;owned\x07[/]", 1, 2, 1, "")
        console.warn("a :b: [/] \x1b]0;owned\x07")
    assert "\x1b]0;" not in shown.getvalue()
    assert "a :b: [/] \ufffd]0;owned\ufffd" in shown.getvalue()
    assert "restore: \ufffd]0;owned\ufffd[/]" in shown.getvalue()


def test_what_is_counted_is_not_shown_as_bytes() -> None:
    """Lost: trust in a bar that says 71 bytes/s of a job that has done 17 of 40 keys."""
    with Progress(console=Console(file=io.StringIO())) as drawn:
        bar = console._Bar("rotate", drawn)
        bar("mark", 0, None, 0, "")
        assert drawn.tasks[0].fields["amount"] == ""
        bar("run keys", 0, None, 10, "", total_entries=40)
        assert drawn.tasks[0].percentage == 25
        assert drawn.tasks[0].fields["amount"] == "10 of 40"
        bar("packs", 3_000_000, 4_000_000, 80, "")
        assert drawn.tasks[0].percentage == 75
        assert drawn.tasks[0].fields["amount"].startswith("3.0 MB of 4.0 MB, ")
