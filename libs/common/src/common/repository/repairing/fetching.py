"""Fetching damaged and missing objects, by their names, from another copy of the repository."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from common.errors import Conflict, Corrupt, NotFound
from common.repository.checking.findings import Finding
from common.repository.format.frame import MAX_SIZE
from common.repository.format.index import PackEntry
from common.repository.format.names import Kind, content_hash, kind_of
from common.repository.format.wrappedkey import parse_run_key
from common.repository.index.catalog import load_segments
from common.repository.objects import ObjectSource, verify_object
from common.repository.progress import OnProgress
from common.repository.pruning.relisting import write_segments
from common.repository.reader import Reader
from common.repository.reading.keyring import KeyRing
from common.repository.reading.streaming import pieces, write_verified
from common.repository.repairing.index import IndexRepair, repair_index
from common.repository.session import Session, read_config

REPLACED = "replaced"
"""Owner of the files of damaged objects that good copies have replaced."""

_OWNER = "repair"
_CHUNK = "chunk "


@dataclass(slots=True)
class ObjectRepair:
    """What was fetched, what could not be and why, what the check at the end still finds, and what
    was done to the index, if it had to be made anew.
    """

    fetched: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    remaining: list[Finding] = field(default_factory=list)
    index: IndexRepair | None = None


def repair_objects(
    reader: Reader, other: ObjectSource, *, on_progress: OnProgress | None = None
) -> ObjectRepair:
    """Put good copies from ``other`` in the place of what is damaged or missing here.

    Each is verified before it takes its place; the damaged ones are set aside until the end. What
    comes to light by a repair is looked for again: a key that is back opens a pack that is damaged.

    Raises:
        Conflict: the other is no copy of this repository.
    """
    session, report = reader.session, ObjectRepair()
    _check_same(session, other)
    session.directory.discard(_OWNER)
    findings = first = reader.check(read_data=True, on_progress=on_progress).findings
    copier = _Copier(session, reader.keyring(), other, report)
    while copier.fetch(findings) or copier.take_index_at_fault():
        reader.reload()
        findings = reader.check(read_data=copier.take_unread(), on_progress=on_progress).findings
    known = {finding.object for finding in findings}
    unread = (each for each in first if each.object not in {*known, *report.fetched})
    report.remaining = [*findings, *(each for each in unread if _is_here(session, each))]
    # What an earlier repair fetched may have been seen, and not be durable: it died before that.
    session.directory.settle_all()
    if not report.remaining:
        session.directory.discard(REPLACED)
    return report


def _check_same(session: Session, other: ObjectSource) -> None:
    try:
        found = read_config(other)
    except (NotFound, Corrupt):
        return  # its other objects may be good
    if found.repository != session.config.repository:
        raise Conflict(
            "The other copy is of another repository.",
            remedy="Name a copy of this one; for another use: strongroom repo copy.",
        )


def _is_here(session: Session, finding: Finding) -> bool:
    """Whether a finding that a check without all data does not repeat still holds: damaged data."""
    name = finding.object
    with suppress(NotFound):  # a segment that was made anew; of what else is missing a check tells
        return content_hash(name) is not None and not _is_sound(session, name)
    return False


def _is_good(session: Session, name: str) -> bool:
    with suppress(NotFound):
        return _is_sound(session, name)
    return False


def _is_sound(session: Session, name: str) -> bool:
    try:
        verify_object(name, pieces(session.source, name))
    except Corrupt:
        return False
    return True


class _Copier:
    """Copies single objects, each at most once."""

    def __init__(
        self, session: Session, keys: KeyRing, other: ObjectSource, report: ObjectRepair
    ) -> None:
        self._session = session
        self._keys = keys
        self._other = other
        self._report = report
        self._index_at_fault = False
        self._unread = False

    def take_unread(self) -> bool:
        """Whether there may be packs that no check has read: they could not be opened or found."""
        unread, self._unread = self._unread, False
        return unread

    def take_index_at_fault(self) -> bool:
        """Make the index anew, once, if it is what is wrong; whether it was."""
        if not self._index_at_fault or self._report.index is not None:
            return False
        self._unread = True
        self._report.index = repair_index(self._session, self._keys)
        for name in [each for each in self._report.failed if kind_of(each) is Kind.INDEX]:
            del self._report.failed[name]  # nobody needs it any more
        return True

    def fetch(self, findings: tuple[Finding, ...]) -> bool:
        """Get what these findings name; whether anything came."""
        before = len(self._report.fetched)
        chunks: set[bytes] = set()
        for finding in findings:
            if finding.object.startswith(_CHUNK):
                chunks.add(bytes.fromhex(finding.object.removeprefix(_CHUNK)))
            elif kind_of(finding.object) is not None and finding.object != "config":
                self._fetch(finding.object)
        if chunks:
            entries = [entry for entry in self._holders(chunks) if self._fetch(entry.name)]
            write_segments(self._session, entries, _OWNER)
            self._unread |= bool(entries)
        return len(self._report.fetched) > before

    def _fetch(self, name: str) -> bool:
        if name in self._report.failed:
            return False
        fetched = name in self._report.fetched
        if fetched or (content_hash(name) is not None and _is_good(self._session, name)):
            self._index_at_fault = True  # it does not list what is there
            return False
        self._index_at_fault |= kind_of(name) is Kind.INDEX
        try:
            self._copy(name)
        except NotFound:
            self._report.failed[name] = "The other copy has none."
            return False
        except Corrupt as error:
            self._report.failed[name] = f"In the other copy too: {error.message}"
            return False
        self._report.fetched.append(name)
        self._unread |= kind_of(name) in {Kind.KEY, Kind.INDEX, Kind.SNAPSHOT}
        return True

    def _copy(self, name: str) -> None:
        content = pieces(self._other, name) if content_hash(name) else self._key(name)
        write_verified(self._session.directory, name, content, owner=_OWNER, aside=REPLACED)

    def _key(self, name: str) -> Iterator[bytes]:
        """A run key's object, which has to open: one of before a change of keys does not."""
        data = self._other.read(name, 0, MAX_SIZE + 1)
        self._keys.unwrap(parse_run_key(data, name, self._session.keys))
        yield data

    def _holders(self, chunks: set[bytes]) -> Iterator[PackEntry]:
        """Packs of the other copy that hold chunks which no pack here is known to hold."""
        left = set(chunks)

        def skip(_name: str, _error: Corrupt) -> None:
            """Other segments may list the same."""

        for segment in load_segments(self._other, self._session.keys.index, skip):
            for entry in segment.entries:
                held = left & {chunk_id for chunk_id, _ in entry.directory.all_chunks()}
                if held:
                    left -= held
                    yield entry
