"""Runs that a prune took for dead, though they were only asleep, or slow."""

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from io import BytesIO
from threading import Thread
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from common.errors import Conflict, NoSpace
from common.repository import session
from common.repository.entry import Entry, EntryType
from common.repository.history import History
from common.repository.prepared import SnapshotMeta
from common.repository.pruning import prune
from common.repository.pruning.prune import Pruner, PruneSettings
from common.repository.run import Run
from common.repository.session import Session
from common.repository.writing import alive
from common.storage.local import LocalDirectory
from vault import Vault, add_files, noise

pytestmark = pytest.mark.usefixtures("small_packs")

META = SnapshotMeta("b", "b", "late")
NOW = PruneSettings(grace=timedelta(0))
A_WEEK_LATER = PruneSettings(grace=timedelta(0), dead_after=timedelta(0))
A = {b"a": noise(300_000, 1)}
B = {b"b": noise(30_000, 2)}


class Killed(BaseException):
    """Stands for SIGKILL."""


def begin(vault: Vault, files: Mapping[bytes, bytes] = A) -> Run:
    """A run that has written these files."""
    run = vault.writer().begin(uuid4())
    with run.component("files", "files") as sink:
        add_files(sink, files)
    return run


def begin_long_ago(vault: Vault, patch: pytest.MonkeyPatch) -> Run:
    """A run of eight days, by its key, that has written files and lists them."""
    eight_days_ago = datetime.now(UTC) - timedelta(days=8)
    patch.setattr(session, "datetime", SimpleNamespace(now=lambda _: eight_days_ago))
    patch.setattr(alive, "EVERY_SECONDS", 0.0)
    run = begin(vault)
    run._stores.contents.finish()
    run._stores.trees.finish()
    run._stores.segments.flush()
    return run


def sound(vault: Vault) -> bool:
    report = vault.reader().check(read_data=True)
    assert report.ok, report.findings
    return True


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("goes_on", [False, True])
def test_a_run_whose_packs_a_prune_took_for_waste_cannot_end(
    vault: Vault, listed: bool, goes_on: bool
) -> None:
    """Lost: a first backup of more than a week, which says that all went well."""
    with vault.writer().begin(uuid4()) as run:
        with run.component("files", "files") as sink:
            add_files(sink, A)
            run._stores.contents.finish()
            run._stores.segments.flush()  # its key stays where something is listed
            if not listed:
                sink.add_stream(Entry(b"b", EntryType.FILE), BytesIO(noise(300_000, 2)))
                run._stores.contents.finish()
            if not goes_on:
                run._stores.finish()
                run._stores.segments.flush()
            assert vault.reader().prune(A_WEEK_LATER).removed_packs
            if goes_on:
                sink.add_stream(Entry(b"c", EntryType.FILE), BytesIO(noise(300_000, 3)))
        with pytest.raises(Conflict, match=r"dead.*again"):
            run.finish(META)
    assert vault.reader().snapshots() == []
    assert sound(vault)


def test_a_run_of_more_than_a_week_is_not_dead_while_it_works(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: each first backup that a slow line makes longer than a week, to the nightly prune."""
    with begin_long_ago(vault, monkeypatch) as run:
        assert not vault.reader().prune(NOW).removed_packs
        with run.component("more", "files") as sink:
            add_files(sink, B)
            run._stores.contents._collect(0)
            (open_pack,) = (each for each in vault.directory.leftovers() if each.stat().st_size)
            os.utime(open_pack, (0, time.time() - 8 * 86_400))  # nothing was stored since
            assert not vault.reader().prune(NOW).removed_files
        prepared = run.finish(META)
    vault.reader().prune(NOW)  # while the place in the chain is asked for
    info = prepared.commit_next()
    assert vault.restore(info.id) == A
    assert sound(vault)
    assert not vault.directory.leftovers()


def test_a_run_that_was_silent_for_a_week_is_dead(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the disk space of each run that was killed after its first hour, for ever."""
    with begin_long_ago(vault, monkeypatch) as run:
        marks = vault.directory.leftovers(run._run_id.hex)
        assert marks
        for mark in marks:
            os.utime(mark, (0, time.time() - 8 * 86_400))
        vault.reader().prune(NOW)
        with pytest.raises(Conflict, match="dead"):
            run.finish(META)
    assert not vault.directory.leftovers()


def test_a_sign_of_life_that_cannot_be_given_fails_no_run(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: a backup, to a disk that was full for a moment and had nothing to store by then."""

    def fail(*_: object) -> None:
        raise NoSpace("The disk is full.")

    monkeypatch.setattr(LocalDirectory, "show_life", fail)
    with begin_long_ago(vault, monkeypatch) as run:
        info = run.finish(META).commit_next()
    assert vault.restore(info.id) == A


def test_a_finished_run_that_was_taken_for_dead_makes_no_backup(vault: Vault) -> None:
    """Lost: a backup whose last step came after a week of sleep."""
    with begin(vault) as run:
        prepared = run.finish(META)
    assert vault.reader().prune(A_WEEK_LATER).removed_packs
    with pytest.raises(Conflict, match="dead"):
        prepared.commit(1, None)
    with pytest.raises(Conflict, match="dead"):
        prepared.commit_next()
    assert vault.reader().snapshots() == []


def test_a_run_is_said_to_be_dead_before_anything_of_it_is_deleted(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: a backup whose packs a prune had begun to delete when the power failed."""

    def die(*_: object) -> None:
        raise Killed

    with begin(vault) as run:
        prepared = run.finish(META)
    monkeypatch.setattr(Pruner, "_delete_packs", die)
    with pytest.raises(Killed):
        vault.reader().prune(A_WEEK_LATER)
    with pytest.raises(Conflict, match="dead"):
        prepared.commit_next()


@pytest.mark.parametrize("cleared", [False, True])
def test_a_snapshot_that_is_just_being_written_is_waited_for(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, cleared: bool
) -> None:
    """Lost: a backup that found itself alive, and lost its packs before it was written."""
    witnesses = History.witnesses
    others: list[Thread] = []
    with begin(vault) as run:
        prepared = run.finish(META)

    def other() -> None:
        if cleared:
            vault.writer().abandon(run._run_id)
        vault.reader().prune(A_WEEK_LATER)

    def meanwhile(*args: Any) -> object:
        others.append(Thread(target=other))
        others[0].start()
        others[0].join(1)
        return witnesses(*args)

    monkeypatch.setattr(History, "witnesses", meanwhile)
    info = prepared.commit_next()
    others[0].join()
    assert vault.restore(info.id) == A
    assert sound(vault)


def test_a_run_that_gives_up_while_a_prune_looks_at_its_packs(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the prune of this night, to a Ctrl-C in another terminal."""
    listed = Session.listed
    with begin(vault) as run:
        run._stores.contents.finish()

        def meanwhile(session: Session) -> object:
            run._abort()
            return listed(session)

        with monkeypatch.context() as patch:
            patch.setattr(Session, "listed", meanwhile)
            vault.reader().prune(A_WEEK_LATER)
        assert vault.names("packs/") == []


def test_packs_of_a_run_stay_whose_clock_is_ahead(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: what a machine stored whose clock is some hours ahead of that of one which prunes."""
    with begin(vault) as run:
        run._stores.contents.finish()
        run._stores.segments.flush()
        with monkeypatch.context() as patch:
            behind = SimpleNamespace(time=lambda: time.time() - 36_000)
            patch.setattr(prune, "time", behind)
            assert vault.reader().prune(NOW).waiting_for_runs
        info = run.finish(META).commit(1, None)
    assert vault.restore(info.id) == A
    assert sound(vault)


def test_what_a_prune_retired_whose_clock_was_ahead_goes_all_the_same(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: that space, for as many years as the clock was ahead for one night."""
    vault.reader().forget(vault.backup(A).id, "")
    with monkeypatch.context() as patch:
        patch.setattr(prune, "time", SimpleNamespace(time=lambda: time.time() + 10**8))
        assert vault.reader().prune().retired_packs
    assert vault.reader().prune().retired_packs
    assert not vault.reader().prune().retired_packs
    assert vault.reader().prune(NOW).removed_packs
    assert vault.names("packs/") == []
