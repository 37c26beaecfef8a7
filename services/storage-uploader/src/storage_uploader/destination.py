"""A destination at hand: its store, and whether it is ours to write to."""

from dataclasses import dataclass

from common.errors import Conflict, Corrupt, NotFound
from common.repository.format.frame import MAX_SIZE, parse_frame
from common.repository.format.names import CONFIG, Kind
from common.storage.local import LocalDirectory
from common.storage.store import ObjectStore


@dataclass(frozen=True, slots=True)
class Place:
    """A configured destination, opened."""

    name: str
    store: ObjectStore


def repository_of(content: bytes) -> str:
    """The repository's id in a ``config`` object.

    Raises:
        Corrupt: this is no ``config``.
    """
    return str(parse_frame(Kind.CONFIG, content, CONFIG).body.get("repository"))


def has_repository(directory: LocalDirectory) -> bool:
    """Whether there is anything to copy yet. Blocking."""
    return directory.path.is_dir() and directory.exists(CONFIG)


async def check_identity(place: Place, repository: str, *, had_config: bool) -> bool:
    """Make sure that the destination holds this repository; False when it has no ``config`` yet.

    ``had_config``: it was proven to have one. Then a place without is refused: it is more likely a
    disk that is not mounted, or another bucket, than a loss of everything at once.

    Raises:
        Conflict: it does not.
    """
    try:
        found = repository_of(await place.store.get(CONFIG, 0, MAX_SIZE + 1))
    except NotFound:
        if not had_config:
            return False
        raise Conflict(
            f"The destination {place.name} has lost its config: this may be another place.",
            remedy="Mount its disk or correct its address. If it was emptied on purpose, copy the "
            "repository's config there to have everything sent anew.",
        ) from None
    except Corrupt as error:
        raise Conflict(
            f"The destination {place.name} has a config that cannot be read.",
            remedy="If it belongs to this repository, replace it by the repository's config.",
        ) from error
    if found != repository:
        raise Conflict(
            f"The destination {place.name} holds another repository.",
            remedy="Give each repository a folder or bucket of its own.",
        )
    return True
