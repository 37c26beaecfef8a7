"""The folder of the repository, as the service sees it: is it begun, and is there room."""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from common.components.configured import load
from common.errors import Error, Unavailable
from common.messages import GetRepositoryConfig, Message, Question, RepositoryConfig

Ask = Callable[[Question], Awaitable[Message]]


async def missing_config(directory: Path, ask: Ask) -> str | None:
    """The base64 ``config`` for a repository that has none yet, from the keyring; else None.

    Raises:
        Unavailable: it is missing, and the keyring does not answer.
    """
    if await asyncio.to_thread((directory / "config").exists):
        return None
    answer = await ask(GetRepositoryConfig())
    if not isinstance(answer, RepositoryConfig):
        raise Unavailable("The keyring gave no answer that can be used.")
    return answer.config


def not_ready(directory: Path, components_file: Path, min_free_mb: int) -> str | None:
    """Why no backup could be taken now, in a sentence; None when one could."""
    place = directory
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        return f"{directory} cannot be written to: set BACKUP_LOCAL_DIR or correct its owner."
    free_mb = shutil.disk_usage(place).free // 2**20
    if free_mb < min_free_mb:
        return f"{directory} has {free_mb} MB left, less than BACKUP_MIN_FREE_MB={min_free_mb}."
    try:
        load(components_file)
    except Error as error:
        return str(error)
    return None
