"""Logs, traces and metrics: what an operator sees of a service."""

from common.observability.logs import bound, configure_logging
from common.observability.redaction import redact, scrub
from common.observability.tracing import (
    configure_tracing,
    current_trace_id,
    current_traceparent,
    shutdown_tracing,
    span,
)

__all__ = [
    "bound",
    "configure_logging",
    "configure_tracing",
    "current_trace_id",
    "current_traceparent",
    "redact",
    "scrub",
    "shutdown_tracing",
    "span",
]
