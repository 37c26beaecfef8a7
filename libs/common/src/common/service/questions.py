"""From the answer on the bus to a value, or back to the error that the answering service raised."""

from common.errors import of_code
from common.messages import Envelope, Message, QuestionFailed


def unwrap(answer: Envelope) -> Message:
    """The answer's message; a failure is raised as the error class of its code."""
    message = answer.data
    if isinstance(message, QuestionFailed):
        failure = message.failure
        raise of_code(failure.code, failure.message, failure.remedy)
    return message
