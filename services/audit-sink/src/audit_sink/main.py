"""The wiring of audit-sink."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from audit_sink.follower import Follower
from audit_sink.handlers import answer_query, append_entry
from audit_sink.jsonlines import JsonLines
from audit_sink.settings import AuditSettings
from common.messages import AuditRecorded, QueryAudit
from common.service import Runtime, Service, run


@asynccontextmanager
async def wire(runtime: Runtime[AuditSettings]) -> AsyncIterator[None]:
    """Events into the table, the table into the file, answers from the table."""
    settings = runtime.settings
    runtime.consume("audit-sink.events", {AuditRecorded: append_entry}, events=[AuditRecorded.type])
    runtime.answer(QueryAudit.queue, {QueryAudit: answer_query})
    if not settings.security_audit_log_enabled:
        yield
        return
    file = JsonLines(settings.security_audit_log_path)
    follower = Follower(runtime.pool, file, runtime.notified("log"))
    runtime.health.add_warning("audit file", follower.problem)
    runtime.spawn("audit file", follower.run())
    yield
    await follower.close()


SERVICE = Service(
    name="audit-sink",
    settings=AuditSettings,
    wire=wire,
    migrations=Path(__file__).parent / "migrations",
)

if __name__ == "__main__":
    run(SERVICE)
