"""What a service has at hand while it runs."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, TypeVar

import structlog

from common.bus.transport import Consumption, Listening, Transport
from common.config import ServiceSettings
from common.consumer import Answerer, Consumer, Handler, QuestionHandler
from common.db import Listener, Pool
from common.health import Health
from common.jobs import JobHandler, Jobs, Rules
from common.messages import SYSTEM, Actor, Command, Message, Question, operation_id, seal
from common.observability import bound, current_traceparent
from common.outbox import Context, unit_of_work
from common.service.questions import unwrap

S = TypeVar("S", bound=ServiceSettings)
Hook = Callable[[], Awaitable[None]]

_STOP_ATTEMPTS = 5  # a library may have swallowed the first cancellation

log = structlog.stdlib.get_logger(__name__)


class Runtime(Generic[S]):
    """One service at work. Registering is for ``wire``, before it yields."""

    def __init__(
        self,
        *,
        name: str,
        schema: str,
        settings: S,
        pool: Pool,
        transport: Transport,
        health: Health,
    ) -> None:
        self.name = name
        self.settings = settings
        self.pool = pool
        self.transport = transport
        self.health = health
        self.listener = Listener(pool)
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.drain_hooks: list[Hook] = []
        self.all_jobs: list[Jobs] = []
        self._schema = schema
        self._starts: list[Callable[[], Awaitable[Consumption]]] = []
        self._consumptions: list[Consumption] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    def transaction(self, actor: Actor = SYSTEM) -> AbstractAsyncContextManager[Context]:
        """A transaction on the service's own database, with its outbox."""
        return unit_of_work(self.pool, self.name, actor=actor)

    def consume(
        self,
        queue: str,
        handlers: Mapping[type[Message], Handler],
        events: Sequence[str] = (),
        concurrency: int = 1,
    ) -> None:
        """Handle what comes to ``queue``, and the events of these patterns, each once.

        An event without a handler is passed over; a command without one becomes a dead letter.
        """
        consumer = Consumer(self.name, queue, self.pool, dict(handlers))

        async def start() -> Consumption:
            await self.transport.declare(queue, events)
            return await self.transport.consume(queue, consumer, concurrency=concurrency)

        self._starts.append(start)

    def answer(
        self,
        queue: str,
        handlers: Mapping[type[Question], QuestionHandler],
        concurrency: int = 4,
    ) -> None:
        """Answer the questions that come to ``queue``, each in a transaction."""
        answerer = Answerer(self.name, self.pool, dict(handlers))

        async def start() -> Consumption:
            return await self.transport.answer(queue, answerer, concurrency=concurrency)

        self._starts.append(start)

    async def ask(
        self, question: Question, *, wait: float = 10.0, actor: Actor = SYSTEM
    ) -> Message:
        """The answer to ``question``.

        Raises:
            Error: what the answering service raised, as the class of its code.
            Unavailable: nobody answered within ``wait`` seconds.
        """
        envelope = seal(
            question,
            source=self.name,
            actor=actor,
            subject=operation_id(question),
            traceparent=current_traceparent(),
        )
        return unwrap(await self.transport.ask(envelope, question.queue, wait))

    def notified(self, topic: str) -> asyncio.Event:
        """Set after each ``pg_notify`` on this schema's ``<schema>_<topic>``; the waiter clears it.

        A hint that may be missed: also look from time to time.
        """
        return self.listener.on(f"{self._schema}_{topic}")

    def listen(self, patterns: Sequence[str]) -> AbstractAsyncContextManager[Listening]:
        """Events as they happen, progress included, from now on; some may be missed."""
        return self.transport.listen(patterns)

    def jobs(
        self,
        *,
        queues: Sequence[str],
        handlers: Mapping[type[Command], JobHandler[Any]],
        slots: int,
        lease: float,
        id_of: Callable[[Message], str] = operation_id,
        max_attempts: int = 3,
    ) -> Jobs:
        """Run the commands of ``queues`` as jobs, at most ``slots`` at a time."""
        jobs = Jobs(
            name=self.name,
            pool=self.pool,
            transport=self.transport,
            wake=self.notified("jobs"),
            queues=queues,
            handlers=handlers,
            slots=slots,
            lease=lease,
            id_of=id_of,
            rules=Rules(max_attempts=max_attempts),
        )
        self.all_jobs.append(jobs)
        return jobs

    def spawn(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run ``work`` beside everything else until the service ends.

        If it raises, the service stops, so that it is started anew.
        """

        async def supervised() -> None:
            with bound(service=self.name):
                try:
                    await work
                except Exception as error:
                    log.exception("background task failed", task=name)
                    if not self.failed.done():
                        self.failed.set_exception(error)
                        self.failed.exception()  # seen: it is in the log, whoever watches

        task = asyncio.create_task(supervised(), name=f"{self.name}:{name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())  # it may have been cancelled before it began
        return task

    def on_drain(self, hook: Hook) -> None:
        """Call ``hook`` first when the service is to end, before consumers and jobs stop."""
        self.drain_hooks.append(hook)

    async def start(self) -> None:
        """Start everything that was registered."""
        for start in self._starts:
            self._consumptions.append(await start())
        for jobs in self.all_jobs:
            await jobs.start()

    async def stop_consumers(self, grace: float) -> None:
        """Take no more messages and let handlers end."""
        stops = (each.stop(grace) for each in self._consumptions)
        for outcome in await asyncio.gather(*stops, return_exceptions=True):
            if isinstance(outcome, Exception):
                log.warning("consumer not stopped in order", error=type(outcome).__name__)
        self._consumptions.clear()

    async def stop_tasks(self) -> None:
        """End what was spawned."""
        tasks = set(self._tasks)
        for _ in range(_STOP_ATTEMPTS):
            for task in tasks:
                task.cancel()
            if tasks:
                _, tasks = await asyncio.wait(tasks, timeout=1.0)
        if tasks:
            log.error("tasks did not end", service=self.name, tasks=[t.get_name() for t in tasks])
