"""Structured logs: one JSON object a line on standard error, from structlog and stdlib alike.

Fields that belong to what is being done (``service``, ``request_id``, ``operation_id``) are bound
with ``bound`` and stand on every line inside it; ``trace_id`` comes from the current span.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor

from common.observability.redaction import redact
from common.observability.tracing import current_trace_id

_QUIET = ("aio_pika", "aiormq", "asyncio", "opentelemetry", "urllib3", "uvicorn.access", "httpx")


def _add_trace(logger: Any, method: str, event: EventDict) -> EventDict:
    del logger, method
    trace_id = current_trace_id()
    if trace_id:
        event["trace_id"] = trace_id
    return event


def _redact(logger: Any, method: str, event: EventDict) -> EventDict:
    del logger, method
    return {key: redact(value, key=key) for key, value in event.items()}


def processors() -> list[Processor]:
    """What every line passes through before it is rendered; redaction sees the traceback too."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
        # Plain tracebacks: the structured ones would print the values of local variables.
        structlog.processors.format_exc_info,
        _redact,
    ]


def configure_logging(
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO", stream: TextIO | None = None
) -> None:
    """Send all logs of this process to ``stream``, by default standard error, as redacted JSON."""
    structlog.configure(
        processors=[*processors(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=processors(),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def bound(**values: str) -> Iterator[None]:
    """Put ``values`` on every log line of the block and of the tasks started in it."""
    with structlog.contextvars.bound_contextvars(**values):
        yield
