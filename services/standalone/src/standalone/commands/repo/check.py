"""``strongroom repo check``."""

from dataclasses import asdict
from typing import Annotated

import typer

from common.errors import Corrupt, Invalid
from standalone import console, text
from standalone.commands import new_app
from standalone.keys.source import AnyKeyFile
from standalone.repositories.opening import Place, reading

app = new_app()


@app.command()
def check(
    repo: Place,
    read_data: Annotated[
        bool, typer.Option("--read-data", help="Read every byte, not only the structure.")
    ] = False,
    subset: Annotated[
        str | None,
        typer.Option(
            "--read-data-subset",
            metavar="N/M",
            help="Read the N-th of M parts: 1/7 today, 2/7 tomorrow, and all is read in a week.",
            show_default=False,
        ),
    ] = None,
    key_file: AnyKeyFile = None,
    as_json: console.AsJson = False,
) -> None:
    """Look for damage and say what it affects. Exits with 7 where there is any."""
    if read_data and subset is not None:
        raise Invalid("--read-data reads all, --read-data-subset a part.", remedy="Choose one.")
    part = None if subset is None else _part(subset)
    with console.progress("check") as report:
        reader = reading(repo, key_file)
        found = reader.check(read_data=read_data, subset=part, on_progress=report)
    if as_json:
        console.emit({"ok": found.ok, **asdict(found)})
    else:
        from common.repository.checking.findings import told  # noqa: PLC0415 - loaded by now, by a check

        for line in told(found.findings):
            console.line(line)
    looked = f"{text.count(found.objects, 'object')}, {text.size(found.read_bytes)} read"
    if not found.ok:
        raise Corrupt(
            f"{text.count(len(found.findings), 'finding')} ({looked}).",
            remedy="All else can be restored. Every path that is lost is named by: strongroom repo"
            " repair snapshots REPO; docs/how-to/repair.md says what can be done.",
        )
    console.note(f"No damage: {looked}.")


def _part(given: str) -> tuple[int, int]:
    number, _, parts = given.partition("/")
    if not (number.isdecimal() and parts.isdecimal()):
        raise Invalid(f"{given} is not written N/M, as in 1/7.")
    return int(number), int(parts)
