"""The answering side of a question, the same on every transport."""

import structlog

from common.bus.size import body_of
from common.bus.transport import Answerer, Policy
from common.messages import Envelope, Failure, QuestionFailed, encode, seal

log = structlog.get_logger(__name__)

FAILED = QuestionFailed(
    failure=Failure(code="internal_error", message="The question could not be answered.")
)


async def answer_of(
    handler: Answerer, question: Envelope, *, source: str, policy: Policy
) -> tuple[Envelope, bytes]:
    """The handler's answer, or ``QuestionFailed`` without details if it raises or is too large."""
    try:
        answer = await handler(question)
        return answer, body_of(answer, policy)
    except Exception:
        log.exception("question failed", message_id=str(question.id), type=question.type)
        failed = seal(FAILED, source=source, traceparent=question.traceparent)
        return failed, encode(failed)
