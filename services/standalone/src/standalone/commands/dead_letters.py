"""``strongroom dead-letters``: messages that nobody could handle."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import SecretStr

from common.bus.transport import DeadLetter, Transport
from common.config import BusSettings
from common.errors import Unavailable
from common.service.transport import open_transport
from standalone import console
from standalone.commands import new_app
from standalone.postgres import Cluster
from standalone.product.datadir import DataDirectory

T = TypeVar("T")
app = new_app(
    "List messages that no service could handle, and give them back to their queue.\n\n"
    "The bus is that of --data, else of AMQP_URL or STRONGROOM_BUS_URL."
)
Data = Annotated[
    Path | None,
    typer.Option(help="Data directory of a running `strongroom up`.", show_default=False),
]


@app.command("list")
def list_letters(
    data: Data = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
    as_json: console.AsJson = False,
) -> None:
    """List dead letters, the oldest first, with the reason."""
    letters = _on_the_bus(data, lambda bus: bus.dead_letters(limit))
    if as_json:
        console.emit([_document(letter) for letter in letters])
        return
    console.table(
        ["id", "since", "queue", "type", ">attempt", "reason"],
        [[x.id, x.time or "", x.queue, x.type, x.attempt, x.reason] for x in letters],
    )


@app.command()
def replay(
    letters: Annotated[list[str], typer.Argument(help="Ids, as listed.")], data: Data = None
) -> None:
    """Put dead letters back into their queues, as if they were new."""

    async def all_of_them(bus: Transport) -> None:
        for letter in letters:
            await bus.replay(letter)
            console.note(f"{letter} is back in its queue.")

    _on_the_bus(data, all_of_them)


def _document(letter: DeadLetter) -> dict[str, object]:
    return {
        "id": letter.id,
        "queue": letter.queue,
        "reason": letter.reason,
        "type": letter.type,
        "attempt": letter.attempt,
        "time": letter.time,
        "body": letter.body.decode(errors="replace"),
    }


def _on_the_bus(data: Path | None, work: Callable[[Transport], Awaitable[T]]) -> T:
    async def connected() -> T:
        async with open_transport(_settings(data), "strongroom") as bus:
            return await work(bus)

    try:
        return asyncio.run(connected())
    except Unavailable as error:
        if data is None:
            raise
        raise Unavailable(
            f"The Strongroom of {data} does not run, or its database does not answer.",
            remedy=f"Start it: strongroom up --data {data}",
        ) from error


def _settings(data: Path | None) -> BusSettings:
    if data is None:
        return BusSettings()
    url = Cluster(DataDirectory(data).postgres).url("bus")
    return BusSettings(amqp_url=SecretStr(""), strongroom_bus_url=SecretStr(url))
