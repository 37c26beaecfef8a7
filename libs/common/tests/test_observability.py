"""Logs, traces and metrics: what an operator sees, and what nobody may see."""

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr

from common.observability import (
    bound,
    configure_logging,
    configure_tracing,
    current_trace_id,
    current_traceparent,
    redact,
    scrub,
    span,
)

SECRET = "hunter2-Zq"


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    before = structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging("INFO")
    return stream


def lines(output: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


@pytest.mark.parametrize(
    "event",
    [
        {"password": SECRET},
        {"BACKUP_ENCRYPTION_KEY": SECRET},
        {"headers": {"Authorization": f"Bearer {SECRET}", "Cookie": SECRET}},
        {"nested": [{"refresh_token": SECRET}]},
        {"url": f"postgresql://user:{SECRET}@host:5432/db"},
        {"text": f"amqp://guest:{SECRET}@broker// refused"},
        {"text": f"could not connect: password={SECRET} host=x"},
        {"text": f"Authorization: Bearer {SECRET}"},
        {"value": SecretStr(SECRET)},
        {"reason": ConnectionError(f"postgresql://user:{SECRET}@host/db")},
    ],
)
def test_no_secret_gets_into_a_log(output: io.StringIO, event: dict[str, Any]) -> None:
    """Logs are copied to many places; whoever reads them must not get into a database."""
    structlog.stdlib.get_logger("test").info("something", **event)
    assert SECRET not in output.getvalue()
    assert len(lines(output)) == 1


def test_no_secret_gets_into_a_log_by_a_traceback(output: io.StringIO) -> None:
    """Libraries put what they were given into the text of their errors."""
    try:
        int(f"postgresql://user:{SECRET}@host/db")
    except ValueError:
        structlog.stdlib.get_logger("test").exception("failed")
        logging.getLogger("some.library").exception("failed")
    assert SECRET not in output.getvalue()
    assert all("Traceback" in line["exception"] for line in lines(output))


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_redaction_takes_whatever_is_logged(value: object) -> None:
    """A log line must never be the reason why an operation fails."""
    json.dumps(redact(value))


@given(st.text(alphabet="abc :/@.-_?&", max_size=40))
def test_harmless_text_stays_as_it_is(text: str) -> None:
    """What is hidden without need is missing when an operator looks for a fault."""
    if "@" not in text:
        assert scrub(text) == text


def test_a_line_says_what_it_belongs_to(output: io.StringIO) -> None:
    """Without the ids nobody finds the lines of one operation among six services."""
    configure_tracing("test")
    with bound(service="gateway", operation_id="op-1", request_id="r-1"), span("work"):
        structlog.stdlib.get_logger("test").info("one", size=3)
        logging.getLogger("some.library").warning("two")
        trace_id = current_trace_id()
    for line in lines(output):
        assert line["service"] == "gateway"
        assert line["operation_id"] == "op-1"
        assert line["request_id"] == "r-1"
        assert line["trace_id"] == trace_id
        assert {"timestamp", "level", "event", "logger"} <= line.keys()


async def test_tasks_keep_what_was_bound_where_they_began(output: io.StringIO) -> None:
    """In the one-process product six services log side by side."""

    async def work(name: str) -> None:
        await asyncio.sleep(0)
        structlog.stdlib.get_logger("test").info(name)

    tasks = []
    for name in ("gateway", "audit-sink"):
        with bound(service=name):
            tasks.append(asyncio.create_task(work(name)))
    await asyncio.gather(*tasks)
    assert [line["service"] for line in lines(output)] == ["gateway", "audit-sink"]


def test_one_trace_crosses_the_bus() -> None:
    """One operation passes five services; its trace must not fall apart at each queue."""
    exporter = InMemorySpanExporter()
    configure_tracing("test", processor=SimpleSpanProcessor(exporter))
    with span("request"):
        carried = current_traceparent()
    with span("handle", traceparent=carried, service="backup-worker"):
        pass
    request, handle = exporter.get_finished_spans()
    assert request.context is not None
    assert handle.context is not None
    assert handle.context.trace_id == request.context.trace_id
    assert handle.parent is not None
    assert handle.parent.span_id == request.context.span_id


def test_the_text_of_an_error_does_not_leave_with_the_span() -> None:
    """Traces go to other systems; an error's text may hold what the logs hide."""
    exporter = InMemorySpanExporter()
    configure_tracing("test", processor=SimpleSpanProcessor(exporter))
    with pytest.raises(ValueError, match=SECRET), span("work"):
        raise ValueError(SECRET)
    (finished,) = exporter.get_finished_spans()
    assert SECRET not in finished.to_json()
    assert finished.status.description == "ValueError"


@pytest.mark.parametrize("carried", ["", "nonsense", "00-0-0-0", "00-" + "0" * 32 + "-1-01"])
def test_a_broken_traceparent_begins_a_new_trace(carried: str) -> None:
    """What a stranger wrote into an envelope must not stop the message."""
    configure_tracing("test")
    with span("handle", traceparent=carried):
        assert current_trace_id()
