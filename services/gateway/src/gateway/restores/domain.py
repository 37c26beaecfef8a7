"""Where a restore may go."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from common.errors import Invalid

LONGEST_PATH = 4096
LONGEST_PART = 255
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
    """Refuse a path that could lead out of the folder that it is relative to.

    Raises:
        ValueError: saying what is wrong.
    """
    if not path or len(path.encode()) > LONGEST_PATH:
        raise ValueError(f"must have between 1 and {LONGEST_PATH} bytes")
    if "\0" in path:
        raise ValueError("must have no NUL")
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError("must be relative, without empty parts, '.' and '..'")
    if any(len(part.encode()) > LONGEST_PART for part in parts):
        raise ValueError(f"must have no part of more than {LONGEST_PART} bytes")
    return path


def check_target(path: str) -> str:
    """The same for a folder that is going to be made: it gets a name that is easy to type.

    Raises:
        ValueError: saying what is wrong.
    """
    if re.search(r"[\x00-\x1f\x7f\\]", path):
        raise ValueError("must have neither control characters nor backslashes")
    return check_path(path)


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
