"""components.toml: what it says is taken as it is, and what is wrong in it is told."""

from pathlib import Path

import pytest

from common.components.component import Target
from common.components.configured import KINDS, component_for_restore, load
from common.errors import Conflict, Invalid
from fake_tree import FakeTree
from vault import seen

GOOD = """
[components.files]
kind = "files"
paths = ["/srv/app", "/etc/app"]
exclude = ["*.tmp"]
include = []
one_file_system = true

[components.database]
kind = "postgres"
dsn = "postgresql://backup@db.example:5433/shop?sslmode=verify-full"
password_file = "/run/secrets/database"

[components.till]
kind = "sqlite"
path = "/var/lib/pos/pos.db"
"""

WRONG = {
    "paths: relative does not start at /": "[components.x]\nkind = 'files'\npaths = ['relative']",
    "kind is one of files, postgres, sqlite": "[components.x]\nkind = 'tape'",
    "not TOML": "[components.x",
    "path_s": "[components.x]\nkind = 'files'\npath_s = ['/a']",
    "a name has": "[components.'../x']\nkind = 'files'\npaths = ['/a']",
    "paths": "[components.x]\nkind = 'files'\npaths = [1]",
    "pattern": "[components.x]\nkind = 'files'\npaths = ['/a']\nexclude = ['!']",
    "not a URL": "[components.x]\nkind = 'postgres'\ndsn = 'postgresql://u:hunter2@h:x/d'",
    "begins with": "[components.x]\nkind = 'postgres'\ndsn = 'mysql://u:hunter2@h/d'",
    "secret": "[components.x]\nkind = 'postgres'\ndsn = 'postgresql://u:hunter2@h/d?secret=1'",
    "has 1 to 63 bytes": "[components.x]\nkind = 'postgres'\ndsn = 'postgresql://u:hunter2@h'",
}


def write(folder: Path, text: str) -> Path:
    path = folder / "components.toml"
    path.write_text(text)
    return path


def test_components_keep_their_names_kinds_and_order(tmp_path: Path) -> None:
    found = load(write(tmp_path, GOOD))
    kinds = [(name, component.name, component.kind) for name, component in found.items()]
    assert kinds == [
        ("files", "files", "files"),
        ("database", "database", "postgres"),
        ("till", "till", "sqlite"),
    ]
    assert load(write(tmp_path, "")) == {}


@pytest.mark.parametrize("sign", WRONG)
def test_what_is_wrong_is_named_and_no_secret_with_it(tmp_path: Path, sign: str) -> None:
    """Lost: the night in which a mistyped setting is silently ignored; or a password in a log."""
    with pytest.raises(Invalid) as caught:
        load(write(tmp_path, WRONG[sign]))
    assert "components.toml" in str(caught.value)
    assert sign in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="BACKUP_COMPONENTS_FILE"):
        load(tmp_path / "components.toml")


def test_a_component_shows_no_password(tmp_path: Path) -> None:
    """Lost: the password of the database, to a log line that prints an object."""
    text = "[components.x]\nkind = 'postgres'\ndsn = 'postgresql://u:hunter2@h/d'"
    component = load(write(tmp_path, text))["x"]
    assert "hunter2" not in repr(component) + repr(vars(component)["_options"])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_longer_configured_is_restored_elsewhere_and_never_in_place(kind: str) -> None:
    """Lost: a backup whose component was removed; or a path that only a snapshot names."""
    component = component_for_restore(kind, "gone", None)
    assert (component.kind, component.name) == (kind, "gone")
    tree = FakeTree()
    tree.details = {"roots": ["/etc"]}
    tree.add_found([seen(b"file", Path(__file__))])
    with pytest.raises(Conflict):
        component.restore(tree, Target(in_place=True))


def test_the_configured_component_restores_its_own_kind_only(tmp_path: Path) -> None:
    """Lost: a database restored by what a renamed component has become."""
    till = load(write(tmp_path, GOOD))["till"]
    assert component_for_restore("sqlite", "till", till) is till
    assert component_for_restore("files", "till", till).kind == "files"
    with pytest.raises(Invalid, match="tape"):
        component_for_restore("tape", "old", None)
