"""What this station can back up: components.toml, and the one list of kinds."""

import re
import tomllib
from pathlib import Path
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError

from common.components.component import Component
from common.components.files import FilesComponent
from common.components.postgres import PostgresComponent
from common.components.sqlite import SqliteComponent
from common.errors import Invalid

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,62}")
GUIDE = "docs/how-to/configure-components.md shows what it may say."


class Kind(Protocol):
    """A class of components; its options are a model or a dataclass, which loads faster."""

    kind: str
    options: type[Any]

    def __call__(self, name: str, options: Any) -> Component:
        """The component of a table in components.toml."""


LIST: tuple[Kind, ...] = (
    FilesComponent,
    PostgresComponent,
    SqliteComponent,
)
KINDS = {kind.kind: kind for kind in LIST}


def load(path: Path) -> dict[str, Component]:
    """The components by name, as the file lists them.

    Raises:
        Invalid: the file is missing or wrong; the message names the component and the setting, and
            repeats no value.
    """
    try:
        tables = tomllib.loads(path.read_text()).get("components", {})
    except OSError as error:
        raise Invalid(
            f"{path} cannot be read: {error.strerror}.",
            remedy="Set BACKUP_COMPONENTS_FILE to a file that lists what to back up.",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} is not TOML: {error}.", remedy=GUIDE) from None
    if not isinstance(tables, dict):
        raise Invalid(f"{path} has no tables [components.NAME].", remedy=GUIDE)
    return {name: _component(path, name, table) for name, table in tables.items()}


def component_for_restore(kind: str, name: str, configured: Component | None) -> Component:
    """The component that restores a backup of ``kind``: the configured one where it fits.

    Else one that knows nothing of this station: it restores into a folder.

    Raises:
        Invalid: this version does not know the kind.
    """
    if configured is not None and configured.kind == kind:
        return configured
    if kind not in KINDS:
        raise Invalid(
            f"Component {name} is of the kind {kind}, which is not known here.",
            remedy="Restore it with the version that made the backup, or a later one.",
        )
    return KINDS[kind](name, KINDS[kind].options())


def _component(path: Path, name: str, table: object) -> Component:
    where = f"{path}, component {name}"
    if not NAME.fullmatch(name):
        raise Invalid(f"{where}: a name has letters, digits, '.', '_' and '-', 63 at most.")
    kind = table.get("kind") if isinstance(table, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise Invalid(f"{where}: kind is one of {', '.join(sorted(KINDS))}.", remedy=GUIDE)
    try:
        return KINDS[kind](name, TypeAdapter(KINDS[kind].options).validate_python(table))
    except ValidationError as error:
        told = "; ".join(_told(problem["loc"], problem["msg"]) for problem in error.errors())
        raise Invalid(f"{where}: {told}.", remedy=GUIDE) from None
    except Invalid as error:
        raise Invalid(f"{where}: {error.message}", remedy=error.remedy or GUIDE) from None


def _told(place: tuple[int | str, ...], message: str) -> str:
    return f"{place[0] if place else 'it'}: {message}"
