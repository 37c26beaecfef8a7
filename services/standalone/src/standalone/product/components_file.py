"""The components that a new data directory backs up, as components.toml."""

import json
import re
from pathlib import Path

from standalone import secretfile
from standalone.postgres import BACKUP_ROLE, DATABASE, Cluster
from standalone.product.datadir import DataDirectory

MANAGED = "# Strongroom writes this file again at each start. Remove this line to make it yours."
FILES = "files"
PLATFORM = "database"
_OWN = re.compile(
    rf'^\[components\.{PLATFORM}\]\nkind = "postgres"\ndsn = .*\npassword_file = .*$', re.MULTILINE
)


def ensure(directory: DataDirectory, cluster: Cluster, source: Path | None = None) -> bool:
    """Write components.toml, unless its owner has taken it over.

    It names the platform's own database and, where ``source`` is given, that folder; without it
    all else in the file stays. Returns whether the file is as asked for.
    """
    path = directory.components
    if path.exists():
        present = path.read_text()
        if not present.startswith(MANAGED):
            return source is None
        if source is None:
            here = _OWN.sub(lambda _: _database(cluster), present)
            if here != present:  # the data directory was moved
                secretfile.write(path, here)
            return True
    secretfile.write(path, _content(directory, cluster, source))
    return True


def _content(directory: DataDirectory, cluster: Cluster, source: Path | None) -> str:
    parts = [
        MANAGED,
        "# What this station can back up. Backups name these components, never a path.",
        "",
    ]
    if source is None:
        parts += ["# [components.files]", '# kind = "files"', '# paths = ["/srv/app"]', ""]
    else:
        parts += [
            f"[components.{FILES}]",
            'kind = "files"',
            f"paths = [{json.dumps(str(source))}]",
            *_apart(directory.path, source),
            "",
        ]
    parts += [
        f"# Strongroom's own database ({DATABASE}): users, lists, keyring, audit log.",
        _database(cluster),
        "",
    ]
    return "\n".join(parts)


def _database(cluster: Cluster) -> str:
    address = cluster.url(BACKUP_ROLE).replace(f":{cluster.password(BACKUP_ROLE)}@", "@")
    lines = [
        f"[components.{PLATFORM}]",
        'kind = "postgres"',
        f"dsn = {json.dumps(address)}",
        f"password_file = {json.dumps(str(cluster.password_file(BACKUP_ROLE)))}",
    ]
    return "\n".join(lines)


def _apart(data: Path, source: Path) -> list[str]:
    """A repository must not back itself up."""
    if not data.is_relative_to(source):
        return []
    name = str(data.relative_to(source))
    for letter in "\\*?[]":
        name = name.replace(letter, f"\\{letter}")
    return [f"exclude = [{json.dumps(f'/{name}/')}]"]
