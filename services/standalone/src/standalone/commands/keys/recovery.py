"""``strongroom keys rotate|change|recovery|split|combine``: other keys, and keys for the safe."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from common.crypto.hpke import PrivateKey
from common.crypto.keys import RECOVERY_PREFIX, PassphraseProvider, read_key, write_key
from common.errors import Conflict, Invalid, WrongKey
from common.repository.rekeying.recovery import (
    add_recovery,
    recovery_keys,
    remove_recovery,
    require_free,
)
from common.repository.rekeying.rotation import change_encryption_key, rotate
from common.repository.rekeying.unlocked import opens, provider_of
from common.storage.local import LocalDirectory
from standalone import console, secretfile, text
from standalone.commands import new_app
from standalone.commands.keys import machine
from standalone.keys import shares
from standalone.keys.source import KeyFile, given_key, key_in
from standalone.repositories.opening import Place, refuse_other_kinds, writing

app = new_app()
recovery = new_app(
    "Recovery keys: kept offline, each opens every backup of the repository by itself."
)
app.add_typer(recovery, name="recovery")
Name = Annotated[str, typer.Argument(metavar="NAME", help="What it is called.")]


@app.command("rotate")
def rotate_pair(
    repo: Annotated[
        Path | None, typer.Argument(metavar="REPO", help="Folder of the repository.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="A stopped Strongroom of one machine: its encryption key as well."),
    ] = None,
    key_file: KeyFile = None,
    as_json: console.AsJson = False,
) -> None:
    """Give a repository a new key pair and wrap every run key to it. Go on where it stopped.

    With --data for the repository of `strongroom up`: it gets a new encryption key, too.
    """
    if data is not None and repo is None:
        machine.rotate(data, as_json=as_json)
        return
    if repo is None or data is not None:
        raise Invalid("Nothing says what to rotate.", remedy="Name REPO, or --data.")
    directory = LocalDirectory(repo)
    provider = provider_of(directory, given_key(key_file))
    with console.progress("rotate") as report:
        done = rotate(directory, provider, on_progress=report)
    if as_json:
        console.emit({name: getattr(done, name) for name in type(done).__slots__})
        return
    begun = "The rotation that was interrupted is finished" if done.resumed else "Rotated"
    console.note(f"{begun}: {text.count(done.rewrapped, 'run key')} wrapped anew.")


@app.command()
def change(
    repo: Place,
    new_key_file: Annotated[Path, typer.Option(help="File with the new BACKUP_ENCRYPTION_KEY.")],
    key_file: KeyFile = None,
) -> None:
    """Change BACKUP_ENCRYPTION_KEY. From then on the former one does not open the repository.

    Where that was done already, by the same command, it says so.
    """
    directory, new = LocalDirectory(repo), key_in(new_key_file)
    refuse_other_kinds(new)
    provider = provider_of(directory, given_key(key_file))
    done = "Changed"
    try:
        change_encryption_key(directory, provider, PassphraseProvider(new))
    except WrongKey:
        if not opens(directory, new):
            raise
        done = "Changed already"
    console.note(
        f"{done}. Give the new key to every service now; copies of the repository follow with"
        " their next upload. BACKUP_WRITER_KEY stays as it is."
    )


@recovery.command()
def add(
    repo: Place,
    name: Name,
    out: Annotated[
        Path,
        typer.Option(help="File (0600) for the new key; one that is there and holds one is used."),
    ],
    key_file: KeyFile = None,
) -> None:
    """Make a recovery key that opens all backups, past and future. Go on where it stopped."""
    directory = LocalDirectory(repo)
    provider = provider_of(directory, given_key(key_file))
    if not out.exists():
        require_free(directory, provider, name)
    private = _kept(out)
    with console.progress("recovery") as report:
        done = add_recovery(directory, provider, name, private.public, on_progress=report)
    console.note(
        f"{name} opens all backups ({text.count(done, 'run key')} wrapped anew). Take {out} away"
        " from this machine: print it, or split it (strongroom keys split)."
    )


@recovery.command("list")
def list_keys(repo: Place, key_file: KeyFile = None, as_json: console.AsJson = False) -> None:
    """List the recovery keys of a repository, and whether each opens all of it."""
    found = recovery_keys(writing(repo, key_file).session)
    if as_json:
        console.emit([{n: getattr(each, n) for n in type(each).__slots__} for each in found])
        return
    console.table(
        ["name", "key", ">opens"],
        [[each.name, each.recipient, f"{each.opens} of {each.run_keys}"] for each in found],
    )


@recovery.command()
def remove(repo: Place, name: Name, key_file: KeyFile = None) -> None:
    """Take a recovery key's access away. Copies made before still open with it."""
    directory = LocalDirectory(repo)
    provider = provider_of(directory, given_key(key_file))
    with console.progress("recovery") as report:
        remove_recovery(directory, provider, name, on_progress=report)
    console.note(f"{name} opens nothing any more here. Rotate the key pair if it was stolen.")


@app.command()
def split(
    *,
    recovery_key_file: Annotated[Path, typer.Option(help="File with the recovery key.")],
    number: Annotated[int, typer.Option("--shares", help="How many shares.")],
    threshold: Annotated[int, typer.Option(help="How many of them make the key again.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for a file each.", show_default=False)
    ] = None,
) -> None:
    """Split a recovery key into shares for several people (SLIP-0039)."""
    texts = shares.split(key_in(recovery_key_file).get_secret_value(), number, threshold)
    if out is None:
        sys.stdout.write("\n".join(texts))
        return
    files = [out / f"share-{each}-of-{number}.txt" for each in range(1, number + 1)]
    taken = next((file for file in files if file.exists()), None)
    if taken is not None:
        raise Conflict(f"{taken} is there already.", remedy="Name another folder.")
    try:
        out.mkdir(mode=0o700, exist_ok=True)
        for file, share in zip(files, texts, strict=True):
            secretfile.write(file, share)
    except OSError as error:
        raise Invalid(f"{out} cannot be written: {error.strerror}.") from error
    console.note(f"{number} shares are in {out}. Give each to someone else, then delete them here.")


@app.command()
def combine(
    files: Annotated[list[Path], typer.Argument(metavar="SHARE...", help="Files with shares.")],
    out: Annotated[
        Path | None, typer.Option(help="A new file (0600) for the key.", show_default=False)
    ] = None,
) -> None:
    """Make a recovery key again from enough of its shares."""
    key = shares.combine({str(file): key_in(file).get_secret_value() for file in files})
    secretfile.give(key, out)


def _kept(out: Path) -> PrivateKey:
    """The recovery key in the file, which is made if it is not there: before anything uses it."""
    if out.exists():
        return PrivateKey(read_key(RECOVERY_PREFIX, key_in(out).get_secret_value()))
    private = PrivateKey.generate()
    secretfile.give(write_key(RECOVERY_PREFIX, private.seed), out)
    return private
