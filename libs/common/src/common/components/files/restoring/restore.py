"""Restoring a tree of files, into a folder or over the places that it came from."""

import os
from pathlib import Path

from common.components.component import (
    PlacedInPart,
    RestoredInPart,
    RestoreOutcome,
    Select,
    Target,
)
from common.components.files.metadata import Applier
from common.components.files.restoring.folders import Folders
from common.components.files.restoring.leaving import told
from common.components.files.restoring.leftovers import claim
from common.components.files.restoring.placing import Placing
from common.components.files.restoring.selecting import Selection
from common.components.names import parse
from common.components.notes import Notes, raise_if_full
from common.errors import NotFound, RestoreFailed
from common.repository.tree import Source


def restore(
    source: Source,
    target: Target,
    roots: list[bytes],
    select: Select | None,
    *,
    numeric_owners: bool,
) -> RestoreOutcome:
    """What ``FilesComponent.restore`` does; in place, nothing but what is below ``roots``."""
    selection = _selection(source, select, roots if target.in_place else None)
    folders, notes = _folders(target, roots), Notes()
    try:
        alone = not target.in_place and claim(folders.file(b""), str(target.directory))
        applier = Applier(notes.add, numeric_owners=numeric_owners)
        placing = Placing(source, selection, folders, applier, notes, alone=alone)
        try:
            outcome = placing.run()
        except BaseException as error:
            if placing.left:
                error.add_note(told(placing.left, str(target.directory)))
            if isinstance(error, RestoredInPart | PlacedInPart):
                error.outcome = error.outcome._replace(warnings=notes.lines())
            raise
    finally:
        folders.close()
    return RestoreOutcome(outcome.entries, outcome.size_bytes, notes.lines())


def _selection(source: Source, select: Select | None, within: list[bytes] | None) -> Selection:
    """What of the source is wanted, after a look at whether it may be.

    Raises:
        NotFound: nothing is.
        Conflict: it lies elsewhere.
    """
    recorded = [parse(text).strip(b"/") for text in source.details.get("roots", [])]
    selection = Selection(source, select, recorded, within)
    empty = True
    for path in recorded if select is None else selection.prepare():
        selection.check(path)
        empty = False
    if empty and select is not None:
        raise NotFound("Nothing in the backup has that name.")
    if select is not None:
        source.expect(selection.size)
    return selection


def _folders(target: Target, roots: list[bytes]) -> Folders:
    """What to place the entries in.

    Raises:
        RestoreFailed: it cannot be written to, or is not named.
    """
    directory = Path("/") if target.in_place else target.directory
    if directory is None:
        raise RestoreFailed("Files are restored into a folder, and none is named.")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        folders = Folders(os.open(directory, flags))
        for root in roots if target.in_place else ():
            folders.trust(root.rpartition(b"/")[0])
    except OSError as error:
        raise_if_full(error, str(directory))
        if directory.is_symlink():  # who restores says where to, not whoever made it
            raise RestoreFailed(
                f"{directory} is a symlink, and a restore follows none.",
                remedy=f"Name the folder itself; it leads to {os.path.realpath(directory)}.",
            ) from error
        raise RestoreFailed(
            f"{directory} cannot be used: {error.strerror}.",
            remedy="Name a folder that this account may write to.",
        ) from error
    return folders
