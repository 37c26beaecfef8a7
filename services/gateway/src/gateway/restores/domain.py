"""Where a restore may go."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from common.errors import Invalid

LONGEST_PATH = 4096
# One entry of the restore folder, as restore-worker takes it.
TARGET = r"^[A-Za-z0-9_][A-Za-z0-9._ -]{0,199}$"
DATABASE = r"^[A-Za-z_][A-Za-z0-9_-]{0,62}$"
SYSTEM_DATABASES = frozenset({"postgres", "template0", "template1"})


@dataclass(frozen=True, slots=True)
class Wish:
    """A restore that is asked for: all of the backup unless components or paths are named."""

    components: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    target: str = ""
    databases: Mapping[str, str] = field(default_factory=dict)
    in_place: bool = False


def check_path(path: str) -> str:
    """Refuse a path that no entry of a backup can have, with or without its first slash.

    Raises:
        ValueError: saying what is wrong.
    """
    if not path.strip("/") or len(path.encode()) > LONGEST_PATH:
        raise ValueError(f"must name something, in at most {LONGEST_PATH} bytes")
    if "\0" in path:
        raise ValueError("must have no NUL")
    if any(part in ("", ".", "..") for part in path.strip("/").split("/")):
        raise ValueError("must have no empty parts, no '.' and no '..'")
    return path


def check_consistent(wish: Wish) -> None:
    """Refuse a wish that contradicts itself.

    Raises:
        Invalid: saying what contradicts what.
    """
    if wish.in_place and (wish.target or wish.databases):
        raise Invalid(
            "A restore in place goes where the source was, not to a target.",
            remedy="Leave out in_place, or target and databases.",
        )
    for component, database in wish.databases.items():
        if database in SYSTEM_DATABASES:
            raise Invalid(f"{database} is PostgreSQL's own and is never restored into.")
        if wish.components and component not in wish.components:
            raise Invalid(f"databases names {component}, which is not among the components.")
