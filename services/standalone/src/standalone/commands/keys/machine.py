"""``strongroom keys status|retire``, and ``keys rotate --data``: the keys of a Strongroom."""

import asyncio
import os
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from common.crypto.keys import Hidden
from common.crypto.references import Reference
from common.crypto.strength import listed, weakness
from common.crypto.stretching import stretch
from common.errors import Invalid
from common.repository.opening import open_reader
from standalone import console, text
from standalone.client.server import DEFAULT, Server
from standalone.commands import new_app
from standalone.commands.keys import sealing
from standalone.keys.source import given_key
from standalone.product import machinekeys
from standalone.product.datadir import MARKER, DataDirectory

app = new_app()
_NAME = "BACKUP_ENCRYPTION_KEY"


@dataclass(frozen=True, slots=True)
class KeyState:
    """A key, without anything that could be used in its place."""

    name: str
    source: str
    fingerprint: str
    age_seconds: int | None
    weak: str
    former: int = 0
    """How many former keys stand behind it in its list."""


def rotate(data: Path, *, as_json: bool) -> None:
    """A new encryption key and a new key pair for a stopped Strongroom."""
    directory = _directory(data)
    if given_key(None) is not None:
        raise Invalid(
            f"{_NAME} is given by the environment, not kept in {directory.path}.",
            remedy="Change it with `strongroom keys change`, then where it is kept.",
        )
    with directory.opened(), console.progress("rotate") as report:
        done = machinekeys.change(directory, report)
    if as_json:
        console.emit(asdict(done))
        return
    began = "The change that was interrupted is finished" if done.resumed else "Changed"
    console.note(f"{began}: {text.count(done.rewrapped, 'run key')} wrapped anew.")
    console.note("Keep a copy of the new key elsewhere: without it no backup opens.")
    if done.waiting:
        console.note(
            f"The former key stays in secrets/{machinekeys.FORMER} until the second copy follows:"
            " it opens that copy."
        )


class Retirable(StrEnum):
    """A setting that keeps its former keys for a while."""

    BACKUP = "BACKUP_ENCRYPTION_KEY"
    TOKENS = "ENCRYPTION_KEY"
    SECURITY = "SECURITY_ENCRYPTION_KEY"


@app.command()
def retire(
    name: Annotated[
        Retirable,
        typer.Argument(
            metavar="NAME", case_sensitive=False, help="The setting.", show_default=False
        ),
    ],
    data: Annotated[Path, typer.Option(help="A stopped Strongroom of one machine.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: console.AsJson = False,
) -> None:
    """Take the former keys of a setting away. Refused while anything stored here needs them."""
    # Imports two services, which the other commands shall not wait for.
    from standalone.product import retiring  # noqa: PLC0415

    directory, count = _directory(data), 0
    with directory.opened():
        if retiring.former_keys(directory, name.lower()):
            console.confirm(
                "Whatever is elsewhere under them, as a backup of Strongroom's own database from"
                f" before, opens no more. Take the former keys of {name} away?",
                yes=yes,
            )
            with retiring.database_of(directory) as cluster:
                count = asyncio.run(retiring.retire(directory, cluster.url, name.lower()))
    if as_json:
        console.emit({"setting": name, "retired": count})
        return
    console.note(f"{text.count(count, 'former key')} of {name} taken away.")


@app.command()
def status(
    data: Annotated[
        Path | None,
        typer.Option(
            help="The data directory of `strongroom up`; else a server is asked.",
            show_default=False,
        ),
    ] = None,
    as_json: console.AsJson = False,
    server: Server = DEFAULT,
) -> None:
    """Show which keys are in use; never a key itself.

    Of a machine (--data): where each is kept, its age and fingerprint, what is under it. Of a
    server: how much of what it stores is sealed under the newest keys, and which former ones can
    be taken away.
    """
    if data is None:
        sealing.show(server, as_json=as_json)
        return
    directory = _directory(data)
    keys = [*_given(), *_kept(directory)]
    repository = _repository(directory)
    if as_json:
        console.emit({"keys": [asdict(key) for key in keys], "repository": repository})
        return
    console.table(
        ["key", "fingerprint", ">former ones", ">age", "kept in", ""],
        [[key.name, key.fingerprint, key.former, _age(key), key.source, key.weak] for key in keys],
    )
    console.table(["", ""], [[name.replace("_", " "), repository[name]] for name in repository])


def _directory(data: Path) -> DataDirectory:
    if not (data / MARKER).exists():
        raise Invalid(f"{data} is no data directory of Strongroom.", remedy="Name it with --data.")
    return DataDirectory(data)


def _given() -> list[KeyState]:
    """The key from the environment, which goes before any that is kept."""
    key = given_key(None)
    if key is None:
        return []
    value, file = os.environ.get(_NAME), os.environ.get(f"{_NAME}_FILE", "")
    stated = value or Path(file).read_text()
    reference = Reference.parse(_NAME, stated)
    place = "the environment" if value else file
    return [_state(_NAME, f"{place}, {reference.scheme}" if reference else place, key, None)]


def _kept(directory: DataDirectory) -> list[KeyState]:
    names = {
        machinekeys.KEY: _NAME,
        machinekeys.NEXT: "new key, change not finished",
        machinekeys.FORMER: "former key, for the second copy",
    }
    for file in machinekeys.LISTS:
        names[file] = file.upper()
    return [
        _state(
            names[file], f"secrets/{file}", directory.secret(file), directory.secret_made_at(file)
        )
        for file in names
        if directory.has_secret(file)
    ]


def _state(name: str, source: str, key: Hidden, made_at: float | None) -> KeyState:
    several = name.lower() in machinekeys.LISTS
    value, *former = listed(key) if several else [key.get_secret_value()]
    why = weakness(value)
    return KeyState(
        name,
        source,
        # Slow to compute, so that it helps nobody to try keys.
        stretch(value.encode(), b"strongroom/v1/fingerprint")[:4].hex(),
        None if made_at is None else max(0, int(time.time() - made_at)),
        f"weak: {why}" if why else "",
        len(former),
    )


def _age(key: KeyState) -> str:
    return "unknown" if key.age_seconds is None else text.duration(key.age_seconds)


def _repository(directory: DataDirectory) -> dict[str, Any]:
    config = machinekeys.config_of(directory.repository)
    if config is None:
        return {}
    key = given_key(None)
    if key is None and directory.has_secret(machinekeys.KEY):
        key = directory.secret(machinekeys.KEY)
    session = open_reader(directory.repository, key).session
    wanted = {public.recipient for public in session.config.recipients}
    wrapped = [found.wrapped.keys() for found in session.wrapped_keys()]
    return {
        "repository": config.repository.hex(),
        "generation": config.generation,
        "encrypted": config.encrypted,
        "run_keys": len(wrapped),
        "under_a_former_key_pair": sum(recipients != wanted for recipients in wrapped),
    }
