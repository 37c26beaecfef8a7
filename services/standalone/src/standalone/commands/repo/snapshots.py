"""``strongroom repo snapshots``."""

from standalone import console
from standalone.commands import new_app
from standalone.keys.source import AnyKeyFile
from standalone.repositories.listed import show_snapshots
from standalone.repositories.opening import Place, writing

app = new_app()


@app.command()
def snapshots(repo: Place, key_file: AnyKeyFile = None, as_json: console.AsJson = False) -> None:
    """List the backups, oldest first. The writer key is enough."""
    show_snapshots(writing(repo, key_file).snapshots(), as_json=as_json)
