"""From the answer on the bus to a value, or back to the error that the answering service raised."""

from common.errors import Error
from common.messages import Envelope, Message, QuestionFailed


def _classes(cls: type[Error]) -> dict[str, type[Error]]:
    found = {cls.code: cls}
    for child in cls.__subclasses__():
        for code, each in _classes(child).items():
            found.setdefault(code, each)
    return found


def unwrap(answer: Envelope) -> Message:
    """The answer's message; a failure is raised as the error class of its code."""
    message = answer.data
    if not isinstance(message, QuestionFailed):
        return message
    failure = message.failure
    cls = _classes(Error).get(failure.code)
    if cls is not None:
        raise cls(failure.message, remedy=failure.remedy)
    error = Error(failure.message, remedy=failure.remedy)
    error.code = failure.code
    raise error
