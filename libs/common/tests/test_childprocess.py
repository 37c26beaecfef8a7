import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from common.childprocess.parent import Limits, ProcessDied, spawn
from common.childprocess.wire import BrokenTalk
from common.errors import CaptureFailed, Error

HEAD = """
import os, sys, time, subprocess, pathlib
from common.childprocess.child import Channel, serve
from common.errors import CaptureFailed
def work(channel):
"""
TAIL = '\nif __name__ == "__main__":\n    serve(work)\n'


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Any]:
    """Makes a child program of the body of its ``work``."""

    def make(body: str) -> list[str]:
        script = tmp_path / "program.py"
        lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
        script.write_text(HEAD + lines + TAIL)
        return [sys.executable, "-I", str(script)]

    yield make  # noqa: PT022 - the same shape as the other fixtures of this file


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until_dead(pid: int, within: float = 60.0) -> None:
    deadline = time.monotonic() + within
    while alive(pid):
        assert time.monotonic() < deadline, f"process {pid} outlived its limit"
        await asyncio.sleep(0.02)


async def test_result_and_progress_reach_the_parent(program: Any) -> None:
    """Without it no job would ever know how far it is or what it came to."""
    seen: list[dict[str, Any]] = []

    async def remember(message: dict[str, Any]) -> None:
        seen.append(message)

    command = program(
        "for n in range(1000):\n    channel.progress('reading', done=n)\n"
        "return {'double': channel.spec['number'] * 2}"
    )
    async with spawn(command, {"number": 21}, on_progress=remember) as child:
        assert (await child.result())["double"] == 42
    assert seen[0]["phase"] == "reading"
    assert len(seen) < 10
    assert not alive(child.pid)


async def test_two_way_talk(program: Any) -> None:
    """The two-phase commit of a backup needs an answer between prepared and committed."""
    command = program(
        "channel.send('prepared')\n"
        "counter = channel.receive('commit', within=60)['counter']\n"
        "return {'counter': counter}"
    )
    async with spawn(command, {}) as child:
        await child.receive("prepared")
        await child.send("commit", counter=7)
        assert (await child.result())["counter"] == 7


async def test_an_error_keeps_its_class_and_remedy(program: Any) -> None:
    """A failure without its code would be retried or shown as an internal error."""
    command = program("raise CaptureFailed('The till is locked.', remedy='Close it.')")
    with pytest.raises(CaptureFailed) as caught:
        async with spawn(command, {}) as child:
            await child.result()
    assert caught.value.message == "The till is locked."
    assert caught.value.remedy == "Close it."


async def test_an_unforeseen_error_tells_no_details(program: Any) -> None:
    """An exception's text may hold a secret; its traceback goes to the log, secrets blotted out."""
    command = program("raise KeyError(channel.spec['key'])")
    with capture_logs() as logs, pytest.raises(Error, match="unforeseen KeyError") as caught:
        async with spawn(command, {"key": SecretStr("hunter2-hunter2")}) as child:
            await child.result()
    assert "hunter2" not in str(caught.value)
    assert any("KeyError: '***'" in entry.get("line", "") for entry in logs)
    assert "hunter2" not in str(logs)


async def test_a_death_is_named(program: Any) -> None:
    """An OOM kill must look like one, not like a hang."""
    command = program("os.kill(os.getpid(), 9)")
    with pytest.raises(ProcessDied, match="SIGKILL") as caught:
        async with spawn(command, {}) as child:
            await child.result()
    assert "memory" in caught.value.remedy


async def test_secrets_stay_out_of_environment_and_arguments(
    program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every process of the machine can read arguments; a child's children read its environment."""
    monkeypatch.setenv("BACKUP_SOMETHING", "hunter2-hunter2")
    command = program("channel.receive('go', within=60)\nreturn {}")
    async with spawn(command, {"key": SecretStr("hunter2-hunter2")}) as child:
        process = Path(f"/proc/{child.pid}")
        shown = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        await child.send("go")
        await child.result()
    assert b"hunter2" not in shown


async def test_prints_and_floods_do_not_break_the_talk(program: Any) -> None:
    """A library that prints, or a tool that complains a million times, must not end a backup."""
    command = program(
        "print('hello')\nsubprocess.run(['echo', 'from a tool'], check=True)\n"
        "for n in range(20000):\n    print('x' * 50, file=sys.stderr)\n"
        "print('y' * 1000000, file=sys.stderr)\nreturn {}"
    )
    with capture_logs() as logs:
        async with spawn(command, {}) as child:
            await child.result()
    lines = [entry["line"] for entry in logs if entry["event"] == "child.stderr"]
    assert "from a tool" in lines
    assert len(lines) <= 201
    assert max(map(len, lines)) <= 2000


async def test_sigterm_lets_the_child_clean_up(program: Any, tmp_path: Path) -> None:
    """A cancelled backup removes its temporary files itself."""
    command = program(
        "try:\n    channel.send('prepared')\n    time.sleep(600)\n"
        "finally:\n    pathlib.Path(channel.spec['mark']).write_text('clean')"
    )
    mark = tmp_path / "mark"

    async def backup() -> None:
        async with spawn(command, {"mark": mark}, limits=Limits(goodbye=60)) as child:
            await child.receive("prepared")
            started.set()
            await child.result()

    started = asyncio.Event()
    task = asyncio.create_task(backup())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert mark.read_text() == "clean"


async def test_a_child_that_ignores_sigterm_is_killed_with_its_own(program: Any) -> None:
    """Otherwise a cancelled job would go on writing, or its pg_dump would."""
    command = program(
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "tool = subprocess.Popen(['sleep', '600'])\n"
        "channel.send('prepared', tool=tool.pid)\ntime.sleep(600)"
    )
    with contextlib.suppress(ZeroDivisionError):
        async with (
            asyncio.timeout(60),
            spawn(command, {}, limits=Limits(goodbye=0.3)) as child,
        ):
            tool = (await child.receive("prepared"))["tool"]
            raise ZeroDivisionError
    assert not alive(child.pid)
    await until_dead(tool)


async def test_silence_has_a_limit(program: Any) -> None:
    """A stopped child must not hold its job for ever."""
    command = program("os.kill(os.getpid(), 19)")
    with pytest.raises(ProcessDied, match="no sign of life"):
        async with spawn(command, {}, limits=Limits(silence=1.0, goodbye=0.3)) as child:
            await child.result()
    assert not alive(child.pid)


async def test_a_quiet_worker_is_not_taken_for_dead(program: Any) -> None:
    """An index build of an hour makes no progress and is still alive."""
    command = program("channel.send('prepared')\ntime.sleep(8)\nreturn {}")
    async with spawn(command, {}, limits=Limits(leash=8.0)) as child:
        await child.receive("prepared")
        child._limits = Limits(leash=8.0, silence=6.0)
        await child.result()


async def test_a_child_that_slept_goes_on(program: Any) -> None:
    """A paused container must not lose its job while the parent holds the lease for it."""
    command = program(
        "channel.send('prepared')\n"
        "for n in range(4):\n    time.sleep(0.3)\n    channel.check()\nreturn {}"
    )
    async with spawn(command, {}, limits=Limits(leash=4.0)) as child:
        await child.receive("prepared")
        os.kill(child.pid, signal.SIGSTOP)
        await asyncio.sleep(5.0)
        os.kill(child.pid, signal.SIGCONT)
        await child.result()


async def test_an_unexpected_word_ends_the_talk(program: Any) -> None:
    """A commit may never be confused with anything else."""
    command = program("channel.send('banana')\ntime.sleep(10)")
    with pytest.raises(BrokenTalk):
        async with spawn(command, {}) as child:
            await child.receive("prepared")


PARENT = """
import asyncio, sys
from common.childprocess.parent import Limits, spawn
async def main():
    async with spawn(sys.argv[1:], {}, limits=Limits(leash=5.0)) as child:
        tool = (await child.receive("prepared"))["tool"]
        print(child.pid, tool, flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_no_child_outlives_its_parent(program: Any, how: signal.Signals) -> None:
    """A worker that is gone or stopped loses its lease; its child may not go on writing."""
    command = program(
        "tool = subprocess.Popen(['sleep', '600'])\n"
        "channel.send('prepared', tool=tool.pid)\ntime.sleep(600)"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, *command, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert parent.stdout is not None
        child, tool = map(int, (await parent.stdout.readline()).split())
        if how == signal.SIGSTOP:
            await asyncio.sleep(5.5)
            assert alive(child), "the leash ran out although the parent was there"
        parent.send_signal(how)
        await until_dead(child)
        if how == signal.SIGSTOP:
            await until_dead(tool)
        else:
            os.kill(tool, signal.SIGKILL)
    finally:
        if parent.returncode is None:
            parent.kill()
        await parent.wait()


async def test_niceness_holds_against_other_sessions(program: Any) -> None:
    """Lost: an API that answers while a backup runs, where Linux weighs sessions."""
    group = Path("/proc/self/autogroup")
    if not group.exists():
        pytest.skip("this kernel does not weigh sessions")
    body = "return {'nice': os.nice(0), 'group': pathlib.Path('/proc/self/autogroup').read_text()}"
    async with spawn(program(body), {}, limits=Limits(niceness=7)) as child:
        found = await child.result()
    assert found["nice"] == min(os.nice(0) + 7, 19)
    assert found["group"].split()[1:] == ["nice", "7"]
