"""What a message is, and the values that several messages carry."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field


class Record(BaseModel):
    """A value inside a message; unknown fields of a newer sender are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Message(Record):
    """What travels in the ``data`` of an envelope."""

    type: ClassVar[str]


class Command(Message):
    """Asks one service to do something; ``queue`` is where that service takes it from."""

    queue: ClassVar[str]

    def address(self) -> str:
        """The queue for this very command: the class's, and the station's own where it has one."""
        station = getattr(self, "station", None)
        return f"{self.queue}.{station}" if station else self.queue


class Event(Message):
    """Says that something happened. ``stored`` is false for those that may be lost: progress."""

    stored: ClassVar[bool] = True


class Question(Message):
    """Asks one service for an answer of type ``answer`` within a time limit."""

    queue: ClassVar[str]


class Failure(Record):
    """Why an operation failed: ``code`` as in ``errors.py``, a sentence, and what to do next."""

    code: str
    message: str
    remedy: str = ""


class ComponentResult(Record):
    """What one component of a backup came to: entries, bytes read, and what was noticed."""

    name: str
    kind: str
    entries: int = 0
    size_bytes: int = 0
    warnings: tuple[str, ...] = ()
    details: dict[str, Any] = Field(default_factory=dict)


class QuestionFailed(Message):
    """The answer to a question that could not be answered."""

    type: ClassVar[str] = "question.failed"

    failure: Failure


def operation_id(message: Message) -> str:
    """The id of the operation that ``message`` belongs to, or an empty string."""
    fields = ("deletion_id", "verification_id", "restore_id", "operation_id", "backup_id")
    return next((str(vars(message)[name]) for name in fields if vars(message).get(name)), "")
