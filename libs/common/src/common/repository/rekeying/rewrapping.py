"""Wrapping every run key anew, to those whom ``config`` names now."""

from common.errors import Corrupt, NotFound
from common.repository.format.abandonment import mark_abandoned
from common.repository.format.names import key_name
from common.repository.format.wrappedkey import WrappedKey, wrap_run_key
from common.repository.index.catalog import load_segments
from common.repository.progress import OnProgress, counted
from common.repository.reading.keyring import KeyRing
from common.repository.session import Session

_OWNER = "rewrap"


def rewrap(session: Session, keys: KeyRing, on_progress: OnProgress | None = None) -> int:
    """Wrap the run keys that are not wrapped to exactly the recipients of ``session.config``.

    Repeatable: each object is replaced in one step. Says how many it wrapped.

    Raises:
        Corrupt: at the end, when a run key is damaged or missing: all others are wrapped.
    """
    session.directory.discard(_OWNER)
    wanted = {public.recipient for public in session.config.recipients}
    names = [info.name for info in session.source.list("keys/")]
    failures: dict[str, str] = {}
    done = 0
    for name in counted(names, "run keys", on_progress):
        try:
            wrapped = session.read_key(name)
            if wrapped.wrapped.keys() != wanted:
                _wrap(session, keys, wrapped)
                done += 1
        except NotFound:
            continue  # prune or the end of a dead run has removed it
        except Corrupt as error:
            failures[name] = error.message
    # Also those found wrapped already: whoever did it may have died before that was durable.
    session.directory.settle("keys")
    lost = _lost(session, failures)
    if lost:
        raise Corrupt(
            f"{len(lost)} of the run keys cannot be wrapped anew: {' '.join(lost[:3])}",
            remedy="Fetch them from another copy (strongroom repo repair packs --from) and do this"
            " again: it goes on where it was.",
        )
    return done


def _wrap(session: Session, keys: KeyRing, wrapped: WrappedKey) -> None:
    data = wrap_run_key(
        keys.unwrap(wrapped),
        run=wrapped.run,
        recipients=session.config.recipients,
        keys=session.keys,
        generation=session.config.generation,
        purpose=wrapped.purpose,
        created=wrapped.created,
    )
    if wrapped.abandoned:  # and may be only asleep
        data = mark_abandoned(data, wrapped.name, session.keys)
    session.directory.write(wrapped.name, data, owner=_OWNER)


def _lost(session: Session, failures: dict[str, str]) -> list[str]:
    """What is wrong with run keys that packs are sealed with: they failed, or are not there.

    A key without packs is a run's that died at its beginning, or that finds out by itself.
    """
    present = session.present()
    used = {
        key_name(entry.key_id)
        for segment in load_segments(session.source, session.keys.index)
        for entry in segment.entries
        if entry.pack_id in present
    }
    # Looked up after the index: a key is there before any pack of its run.
    there = {info.name for info in session.source.list("keys/")}
    found = {name: f"{name} is missing." for name in used - there} | failures
    return [found[name] for name in sorted(used & found.keys())]
