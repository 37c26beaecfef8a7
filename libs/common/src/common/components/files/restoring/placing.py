"""Brings the entries of a source back into a folder."""

import os
from collections.abc import Iterable, Iterator

from common.components.component import RestoreOutcome
from common.components.files.metadata import Applier
from common.components.files.restoring.arriving import LARGE, Arriving
from common.components.files.restoring.delivering import Delivery
from common.components.files.restoring.folders import Folders
from common.components.files.restoring.leftovers import PART
from common.components.files.restoring.linking import Links
from common.components.files.restoring.missing import Missing
from common.components.files.restoring.parts import Parts
from common.components.files.restoring.present import Present
from common.components.files.restoring.selecting import Selection, Wanted
from common.components.files.restoring.special import make_special
from common.components.names import beneath
from common.components.notes import Notes
from common.heap import keep_large_blocks, rare_collections
from common.repository.entry import Entry, EntryType
from common.repository.tree import ContentDamaged, Source

REMEMBERED = 50_000
"""Folders kept in memory until they get their metadata; past that the tree is read once more."""


class Placing:
    """One restore. Folders come first and get their metadata last, so that time and mode hold.

    What cannot be brought back does not stop the rest; it is told at the end. Files that are there
    already, with this very content, stay. Where this restore is ``alone``, what others left behind
    without a name is removed.
    """

    def __init__(
        self,
        source: Source,
        selection: Selection,
        folders: Folders,
        applier: Applier,
        notes: Notes,
        *,
        alone: bool,
    ) -> None:
        self._source = source
        self._selection = selection
        self._folders = folders
        self._applier = applier
        self._missing = Missing(applier.warn)
        self._links = Links(selection, folders, applier, self._missing)
        self._made: set[bytes] = set()
        self._alone = alone
        self._present_bytes = 0
        self._directories: list[Wanted] = []
        self._kept: dict[bytes, int | None] = {}
        self._placed = 0
        self._arriving = Arriving(folders, applier, self._missing.fail, will_look=alone)
        self._parts = Parts(source, folders, self._arriving.own)
        self._delivery = Delivery(
            self._arriving, folders, applier, notes, failed=self._missing.fail, lost=self._lose
        )

    def run(self) -> RestoreOutcome:
        """Restore everything that is selected; the warnings of the outcome are the applier's.

        Raises:
            NoSpace: the disk is full.
            PlacedInPart: something is not there now; all the rest is.
            RestoreFailed: the disk does not keep what it was given.
            RestoredInPart: the same, because the repository has lost it.
        """
        keep_large_blocks()
        try:
            if self._alone:
                self._parts.sweep(b"")
            with rare_collections():
                self._contents()
            self._placed += self._links.make()
            self._finish_folders()
            self._arriving.sync()
        finally:
            self._delivery.close()
            self._arriving.close()
        entries = self._placed + self._arriving.entries
        size = self._present_bytes + self._arriving.bytes
        outcome = RestoreOutcome(entries=entries, size_bytes=size)
        self._missing.tell(outcome, damaged=self._selection.damaged)
        self._parts.close()
        return outcome

    @property
    def left(self) -> int:
        """Of how many files there is something for the next restore, after an error."""
        return self._arriving.left + self._parts.left

    def _contents(self) -> None:
        try:
            for batch in self._source.batches(self._arrivals()):
                self._delivery.take(batch)
        except ContentDamaged as error:
            self._lose(error.paths)
        self._delivery.finish()
        for path in self._arriving.abandon(list(self._arriving.items)):
            self._missing.note(path, "its content did not come")

    def _lose(self, paths: Iterable[bytes]) -> None:
        self._missing.lose(paths)
        self._arriving.abandon(paths)

    def _arrivals(self) -> Iterator[Entry]:
        """Make what has no content on the way; the files whose content is to come."""
        for wanted in self._selection:
            kind = wanted.entry.type
            if kind is EntryType.FILE:  # an attempt, written out: by far the most
                try:
                    begun = self._begin(wanted)
                except OSError as error:
                    self._missing.fail(wanted.path, error)
                    continue
                if begun:
                    yield wanted.entry
            elif kind is EntryType.DIRECTORY:
                self._missing.attempt(self._folder, wanted)
            elif kind is EntryType.HARDLINK:
                self._links.add(wanted)
            else:
                self._missing.attempt(self._special, wanted)

    def _begin(self, wanted: Wanted) -> bool:
        """Expect the content of a file; false when nothing has to come."""
        if wanted.path != wanted.entry.path:  # it comes before the folders that lead to it
            self._made.update(self._folders.lead_to(wanted.path))
        folder = wanted.path.rpartition(b"/")[0]
        if not self._folders.is_new(folder) and self._is_present(wanted, folder):
            self._placed += 1
            self._present_bytes += wanted.entry.size
            return False
        to_come = self._arriving.begin(wanted.entry, wanted.path)
        return to_come and (wanted.entry.size < LARGE or not self._is_complete(wanted))

    def _is_complete(self, wanted: Wanted) -> bool:
        """Go on with what an earlier restore has left of a file; whether that is all of it."""
        path = wanted.entry.path
        item = self._arriving.items[path]
        if PART in item.temporary:
            self._arriving.part(path, self._parts.take(item))
        return path not in self._arriving.items

    def _is_present(self, wanted: Wanted, folder: bytes) -> bool:
        """Whether a file is there already; its folder is made if need be."""
        around, name = self._folders.parent(wanted.path)
        if self._folders.is_new(folder):
            return False
        return Present(self._source, self._applier).accept(wanted.entry, around, name)

    def _folder(self, wanted: Wanted) -> None:
        if len(self._directories) <= REMEMBERED:
            self._directories.append(wanted)
        made = self._folders.make(wanted.path) or wanted.path in self._made
        if self._alone and not made:
            self._parts.sweep(wanted.path)
        mode = self._folders.opened_up(wanted.path)
        if wanted.lead and not (made or self._folders.is_unfinished(wanted.path)):
            self._kept[wanted.path] = mode  # it was there, and only leads to what is wanted
        else:
            self._placed += 1

    def _special(self, wanted: Wanted) -> None:
        if wanted.path != wanted.entry.path:  # as a file does
            self._made.update(self._folders.lead_to(wanted.path))
        if make_special(self._folders, self._applier, wanted.entry, wanted.path):
            self._placed += 1
        else:
            self._missing.refuse(wanted.path)

    def _finish_folders(self) -> None:
        """Give the folders their metadata, those inside before those around them."""
        inside: list[Wanted] = []
        known = len(self._directories) <= REMEMBERED
        for wanted in self._directories if known else self._selection:
            if wanted.entry.type is not EntryType.DIRECTORY:
                continue
            while inside and not beneath(wanted.path, inside[-1].path):
                self._missing.attempt(self._finish_folder, inside.pop())
            inside.append(wanted)
        while inside:
            self._missing.attempt(self._finish_folder, inside.pop())

    def _finish_folder(self, wanted: Wanted) -> None:
        mode = self._kept.get(wanted.path)
        if wanted.path not in self._kept and wanted.path not in self._missing.failed:
            file = self._folders.file(wanted.path)
            self._applier.apply(wanted.entry, f"/proc/self/fd/{file}")
        elif mode is not None:
            os.chmod(f"/proc/self/fd/{self._folders.file(wanted.path)}", mode)
