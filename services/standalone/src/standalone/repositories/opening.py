"""Repositories as the command line opens them: a folder, a key, a backup by some name."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from common.crypto.keys import RECOVERY_PREFIX, WRITER_PREFIX, Hidden, HiddenText
from common.errors import Invalid, NotFound, WrongKey
from common.repository.history import SnapshotInfo
from common.repository.opening import open_reader, open_writer
from common.repository.reader import Reader
from common.repository.repository import Repository
from standalone import console, text
from standalone.keys.source import given_key

Place = Annotated[
    Path,  # one that may not be read is told as everything else that is wrong with it
    typer.Argument(metavar="REPO", help="Folder of the repository.", readable=False),
]
Snapshot = Annotated[
    str,
    typer.Argument(metavar="SNAPSHOT", help="Its id, the start of its id, its name, or 'latest'."),
]
SHORTEST = 4


def reading(place: Path, key_file: Path | None) -> Reader:
    """The repository, opened with the encryption key or a recovery key.

    One without encryption needs none.
    """
    key = given_key(key_file)
    if _is(RECOVERY_PREFIX, key):
        return open_reader(place, recovery_key=key)
    if _is(WRITER_PREFIX, key):
        raise WrongKey(
            "This is a writer key: it writes backups and opens none.",
            remedy="Give the encryption key, or a recovery key.",
        )
    return open_reader(place, key)


def writing(place: Path, key_file: Path | None) -> Repository:
    """The repository, opened to write: with any key; BACKUP_WRITER_KEY is one where no other is."""
    key = given_key(key_file)
    writer_key = os.environ.get("BACKUP_WRITER_KEY")
    if key is None and writer_key:
        return open_writer(place, HiddenText(writer_key))
    return open_writer(place, key) if _is(WRITER_PREFIX, key) else reading(place, key_file)


def _is(prefix: str, key: Hidden | None) -> bool:
    return key is not None and key.get_secret_value().startswith(prefix)


def find(repository: Repository, wanted: str) -> SnapshotInfo:
    """The backup that ``wanted`` means.

    Raises:
        NotFound: there is none.
        Invalid: there are several.
    """
    backups = repository.snapshots()
    if wanted == "latest":
        found = _latest(backups)
    else:
        found = [each for each in backups if wanted in (each.id, each.backup_name)][-1:]
        if not found and len(wanted) >= SHORTEST:
            found = [each for each in backups if each.id.startswith(wanted)]
    if not found:
        raise NotFound(
            "The repository holds no backup."
            if not backups
            else f"There is no backup '{wanted}' in the repository.",
            remedy="List them with: strongroom repo snapshots REPO",
        )
    if len(found) > 1:
        raise Invalid(f"'{wanted}' is the start of {len(found)} ids.", remedy="Give more of it.")
    return found[0]


def _latest(backups: list[SnapshotInfo]) -> list[SnapshotInfo]:
    """The newest by its time, which may be that of a wrong clock."""
    found = backups[-1:]
    for info in found:
        if info.created > datetime.now(UTC):
            console.warn(
                f"'latest' is {info.backup_name}, of a time that is still to come"
                f" ({text.moment(info.created.isoformat())}): a clock was wrong when it was made,"
                " or is now. If another is newer, name that one."
            )
    return found


def refuse_other_kinds(key: Hidden | None) -> None:
    """A key that is made for something else opens nothing afterwards: it is taken for that."""
    if _is(WRITER_PREFIX, key) or _is(RECOVERY_PREFIX, key):
        raise WrongKey(
            "This is a writer key or a recovery key, and can be no encryption key.",
            remedy="Make one: strongroom keys generate.",
        )


def refuse_without_key(key: Hidden | None) -> None:
    """A new repository is encrypted, unless that was declined in so many words."""
    refuse_other_kinds(key)
    if key is None and os.environ.get("BACKUP_ENCRYPTION_ENABLED", "true").lower() != "false":
        raise WrongKey(
            "There is no key for the new repository.",
            remedy="Set BACKUP_ENCRYPTION_KEY or --key-file (strongroom keys generate makes one),"
            " or BACKUP_ENCRYPTION_ENABLED=false to store everything readable by anyone.",
        )
