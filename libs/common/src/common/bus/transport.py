"""What a bus promises. RabbitMQ (``amqp``), PostgreSQL (``postgres``) and memory keep it alike.

Delivery is at least once: a message may come again after a lost connection, a dead consumer or an
unclear confirmation, so consumers remember ids. Order: messages that one publisher awaits one after
another reach a queue in that order, and one consumer of concurrency 1 sees them so; a retry, a
second consumer or a higher concurrency ends that. Nothing here ever logs a body.

Everything waits for a limited time and raises ``Unavailable`` at its end. After ``start`` a lost
server is sought again without end, and ``healthy`` says so meanwhile.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from common.errors import Permanent, Unavailable
from common.messages import Envelope


class Unroutable(Unavailable):
    """No service has made this queue yet, so the message was refused and is nowhere."""

    code = "unroutable"


class TooLarge(Permanent):
    """The message is larger than the bus carries."""

    code = "message_too_large"
    status = 413


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits of a bus, the same for all that share it. Times are seconds."""

    retry_delays: tuple[float, ...] = (5.0, 30.0, 120.0, 600.0)
    """The ladder; beyond its end its last step repeats."""
    max_attempts: int = 20
    """A retry of the last attempt becomes a dead letter: with this ladder after three hours."""
    delivery_limit: int = 20
    """A message whose consumers died this often in a row becomes a dead letter."""
    message_bytes: int = 4 << 20
    publish_timeout: float = 30.0
    connect_timeout: float = 30.0
    listen_buffer: int = 256
    visibility: float = 30.0
    """Embedded only: a silent consumer is taken for dead after this time."""

    def step(self, attempt: int, delay: float | None) -> float:
        """The ladder's step after ``attempt``, or the shortest that holds ``delay``."""
        if delay is None:
            return self.retry_delays[min(attempt, len(self.retry_delays)) - 1]
        steps = sorted(self.retry_delays)
        return next((step for step in steps if step >= delay), steps[-1])


class Delivery(Protocol):
    """One message in one consumer's hands until it is settled, once, by one of the four methods.

    Settling never raises for a lost server: the message then comes again. A reason is stored and
    shown to operators, so it holds no body and no secret.
    """

    @property
    def envelope(self) -> Envelope:
        """The message."""

    @property
    def attempt(self) -> int:
        """1 at first, one more with each retry; redelivery after a death may count as well."""

    @property
    def settled(self) -> bool:
        """Whether one of the methods below was called."""

    async def ack(self) -> None:
        """The message is done with."""

    async def retry(self, reason: str, delay: float | None = None) -> None:
        """Deliver it again later: after the ladder's next step, or the step that holds ``delay``.

        The last of ``Policy.max_attempts`` becomes a dead letter instead.
        """

    async def dead(self, reason: str) -> None:
        """Keep it as a dead letter: no further attempt will help."""

    async def release(self) -> None:
        """Give it back at once and untried: this consumer stops."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that nobody could handle, kept with its raw body for an operator to judge."""

    id: str
    queue: str
    reason: str
    type: str
    attempt: int
    time: datetime | None
    body: bytes = field(repr=False)


class Consumption(Protocol):
    """A running consumer."""

    async def stop(self, grace: float) -> None:
        """Take nothing more, wait ``grace`` seconds for handlers, then cancel them.

        What a cancelled handler held goes back to its queue at once.
        """


class Listening(Protocol):
    """Events as they come, from now on."""

    @property
    def gaps(self) -> int:
        """How often something may have been missed: a full buffer or a lost connection."""

    def __aiter__(self) -> AsyncIterator[Envelope]:
        """The events; ends when the transport closes."""


Handler = Callable[[Delivery], Awaitable[None]]
Answerer = Callable[[Envelope], Awaitable[Envelope]]


class Transport(Protocol):
    """A connection to the bus. Safe for concurrent use within one event loop."""

    async def start(self) -> None:
        """Connect, and make what all share."""

    async def close(self) -> None:
        """Stop consumers without grace and disconnect. What was not settled is delivered again."""

    def healthy(self) -> str | None:
        """None, or a sentence that says what is wrong."""

    async def declare(self, queue: str, events: Sequence[str] = ()) -> None:
        """Make the durable ``queue`` unless it is there, and have it receive these events as well.

        Patterns are those of AMQP topics: ``*`` is one word, ``#`` any number. They are only ever
        added; what an older version asked for keeps coming until an operator unbinds it.
        """

    async def publish(self, envelope: Envelope, *, queue: str | None = None) -> None:
        """Return when the bus has taken responsibility: into ``queue``, or for all listeners.

        An event without a listener is gone. One that is not ``stored`` may be lost.

        Raises:
            Unroutable: ``queue`` does not exist.
            TooLarge: more than ``Policy.message_bytes``.
            Unavailable: not confirmed in time. The message may or may not have arrived.
        """

    async def depth(self, queue: str) -> int:
        """How many messages wait in ``queue`` and are in nobody's hands."""

    async def take(self, queue: str, wait: float) -> Delivery | None:
        """Pull the next message, waiting at most about ``wait`` seconds for one to come.

        Only this one leaves the queue, so that its depth stays the backlog.
        """

    async def consume(self, queue: str, handler: Handler, *, concurrency: int = 1) -> Consumption:
        """Give each message to ``handler``, at most ``concurrency`` at a time.

        A handler settles its delivery. If it raises, or returns without, the message is retried.
        """

    async def ask(self, question: Envelope, queue: str, wait: float) -> Envelope:
        """The answer to ``question``, which may be ``QuestionFailed``.

        Raises:
            Unroutable: nobody has ever answered on ``queue``.
            Unavailable: no answer within ``wait`` seconds. The question lapses by then.
        """

    async def answer(self, queue: str, handler: Answerer, *, concurrency: int = 4) -> Consumption:
        """Make ``queue`` and answer the questions in it. If ``handler`` raises: QuestionFailed."""

    def listen(self, patterns: Sequence[str]) -> AbstractAsyncContextManager[Listening]:
        """Receive events unstored. Inside the ``with`` every event from now on is seen.

        A listener that is slower than the events misses the oldest of those that wait.
        """

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """The oldest dead letters. Listing changes nothing."""

    async def replay(self, letter: str) -> None:
        """Put the dead letter with this id back into its queue as if it were new.

        Raises:
            NotFound: there is no such dead letter.
            Unroutable: its queue is gone; the dead letter stays.
        """
