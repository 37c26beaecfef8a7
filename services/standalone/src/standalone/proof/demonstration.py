"""The first backup of a machine, and the proof that it comes back."""

import asyncio
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from common.errors import Cancelled, Error, RestoreFailed
from gateway.identity.local import begin_local_session
from restore_worker.targets import remove_tree
from standalone.client import trust
from standalone.client.api import Api
from standalone.postgres import BACKUP_ROLE, DATABASE, Cluster
from standalone.product.components_file import FILES, PLATFORM
from standalone.product.launch import Session
from standalone.proof import databases, trees
from standalone.proof.findings import Comparison
from standalone.proof.over_http import Journey, travel

T = TypeVar("T")
TARGET = "first-backup"
PREFIX = "proof_"
STOP_SECONDS = 5.0
CLOCK_GRAIN_NS = 50_000_000  # file systems stamp changes by a coarser clock than ours


@dataclass(frozen=True, slots=True)
class Proof:
    """What was done, and what the comparisons say, by component."""

    journey: Journey
    restored_to: Path
    comparisons: dict[str, Comparison]


class Demonstration:
    """Backs ``source`` and the platform's own database up, restores both, and compares."""

    def __init__(self, session: Session, source: Path) -> None:
        self._session = session
        self._source = source
        self._stopped = threading.Event()

    async def run(self) -> Proof:
        """The proof; what was restored stays until the next one, but for the database.

        Raises:
            RestoreFailed: something did not come back as it was.
            Error: an operation failed.
        """
        cluster = self._session.cluster
        restored_to = self._session.directory.restores / TARGET
        await asyncio.to_thread(_clear, cluster, restored_to)
        database = f"{PREFIX}{secrets.token_hex(6)}"
        token = await begin_local_session(self._session.gateway)
        began = await databases.now(cluster.url(BACKUP_ROLE))
        began_ns = time.time_ns() - CLOCK_GRAIN_NS
        try:
            journey = await self._in_thread(lambda: self._travel(token, database))
            comparisons = {
                FILES: await self._in_thread(lambda: self._compare_files(restored_to, began_ns)),
                PLATFORM: await databases.compare(
                    cluster.url(BACKUP_ROLE), cluster.url(BACKUP_ROLE, database), began
                ),
            }
        finally:
            await asyncio.to_thread(cluster.drop_database, database)
        _insist(comparisons)
        return Proof(journey, restored_to, comparisons)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """``work`` in a thread, which is waited for when this is cancelled: it is told to stop."""
        working = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            self._stopped.set()
            ended, _ = await asyncio.wait({working}, timeout=STOP_SECONDS)
            for each in ended:
                each.exception()  # that it was stopped is no news
            raise

    def _travel(self, token: str, database: str) -> Journey:
        address = self._session.address
        trusted = trust.own(address.certificate) if address.certificate else None
        with Api(address.url, token, trusted) as api:
            try:
                return travel(api, [FILES, PLATFORM], TARGET, {PLATFORM: database}, self._alive)
            finally:
                with suppress(Error):  # what led here is what matters
                    api.post("/api/auth/logout")

    def _compare_files(self, restored_to: Path, began_ns: int) -> Comparison:
        place = restored_to / FILES / self._source.relative_to("/")
        ours = self._session.directory.path
        apart = ours.relative_to(self._source) if ours.is_relative_to(self._source) else None
        return trees.compare(self._source, place, began_ns, self._alive, apart=apart)

    def _alive(self) -> None:
        if self._stopped.is_set():
            raise Cancelled


def _clear(cluster: Cluster, restored_to: Path) -> None:
    """Remove what an earlier demonstration has left."""
    if restored_to.exists():
        remove_tree(restored_to)
    listing = f"SELECT datname FROM pg_database WHERE starts_with(datname, '{PREFIX}')"  # noqa: S608 - a constant
    for name in cluster.sql(listing, database=DATABASE).split():
        cluster.drop_database(name)


def _insist(comparisons: dict[str, Comparison]) -> None:
    for name, comparison in comparisons.items():
        if not comparison.ok:
            more = f" and {comparison.unnamed} more" if comparison.unnamed else ""
            raise RestoreFailed(
                f"{name} did not come back as it was: {'; '.join(comparison.differences)}{more}.",
                remedy="The restored files are kept for you to look at; please report this.",
            )
