"""``strongroom repo init``."""

from common.errors import Conflict
from common.repository.format.config import RepositoryConfig
from common.repository.opening import create
from standalone import console
from standalone.commands import new_app
from standalone.keys.source import KeyFile, given_key
from standalone.repositories.opening import Place, refuse_without_key

app = new_app()


@app.command()
def init(repo: Place, key_file: KeyFile = None) -> None:
    """Make a new repository."""
    key = given_key(key_file)
    refuse_without_key(key)
    if (repo / "config").exists():
        raise Conflict(f"There is a repository in {repo} already.", remedy="Use it, or move it.")
    create(repo, RepositoryConfig.create(key))
    console.note(f"The repository in {repo} is made. Keep a copy of its key elsewhere.")
