"""Brings what is missing to a destination and proves each object there."""

import asyncio
from itertools import islice

import structlog

from common.childprocess.progress import Progress
from common.errors import Corrupt, NotFound, Unavailable
from common.jobs import Job
from common.messages import RunUpload
from common.storage.local import LocalDirectory
from storage_uploader.destination import Place
from storage_uploader.domain import Amount, Item, stages
from storage_uploader.proof import Unproven, check_source, is_proven, survey
from storage_uploader.store import objects
from storage_uploader.store.uploads import Upload

_BATCH = 2000
_TRIES = 3
_SURVEYS = 5
_POLL_SECONDS = 0.2
_PATIENCE_SECONDS = 3600.0

log = structlog.stdlib.get_logger(__name__)


class ObjectBookmark:
    """Keeps the place in the upload of one object in its row."""

    def __init__(self, job: Job[RunUpload], upload: Upload, name: str, token: str | None) -> None:
        self._job, self._upload, self._name, self._token = job, upload, name, token

    async def load(self) -> str | None:
        return self._token

    async def save(self, token: str | None) -> None:
        self._token = token
        async with self._job.transaction() as context:
            await objects.save_bookmark(
                context.conn, self._upload.destination_id, self._name, token
            )


class Copier:
    """One job's work at one destination.

    What a killed job had proven is not sent again; an object that it had sent and not recorded is
    proven where it lies. Other jobs may work at the same destination: each object is claimed by
    one, and ``copy`` ends when all are proven, whoever sent them.
    """

    def __init__(
        self, job: Job[RunUpload], upload: Upload, directory: LocalDirectory, place: Place
    ) -> None:
        self._job, self._upload, self._directory, self._place = job, upload, directory, place
        self._progress = Progress(upload.backup_id or upload.upload_id, "upload", job.progress)
        self._wanted = Amount()
        self._done = Amount()
        self._gone = False

    async def copy(self) -> Amount:
        """Bring the destination to where the repository was when this was called.

        Returns what was missing there.

        Raises:
            Corrupt: an object of ours is damaged; all others of its stage are there.
            Unavailable: prunes or changes of keys go on and on meanwhile.
            Unproven: the destination gives back other bytes than it was sent.
        """
        for _ in range(_SURVEYS):
            missing = await self._missing()
            size = self._done.size_bytes + sum(item.size for item in missing)
            self._wanted = Amount(self._done.objects + len(missing), size)
            if await self._bring_all(missing):
                return self._wanted
        raise Unavailable(
            "The repository is changed faster than it can be sent.",
            remedy="Wait until its prunes and changes of keys have ended; the next try goes on with"
            " what is missing.",
        )

    async def _bring_all(self, missing: list[Item]) -> bool:
        """Send these; false when one is gone: what a prune or a change of keys has put in its
        place has to come before anything that needs it.
        """
        for stage in stages(missing):
            await self._bring(stage)
            if self._gone:
                self._gone = False
                return False
        return True

    async def _missing(self) -> list[Item]:
        found = survey(self._directory)
        missing: list[Item] = []
        while batch := await asyncio.to_thread(lambda: tuple(islice(found, _BATCH))):
            missing += await self._unproven(batch)
        return missing

    async def _unproven(self, items: tuple[Item, ...]) -> list[Item]:
        async with self._job.transaction() as context:
            return await objects.missing(context.conn, self._upload.destination_id, items)

    async def _bring(self, stage: list[Item]) -> None:
        damage: list[Corrupt] = []
        pending = stage
        deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        while pending:
            claimed_elsewhere = [item for item in pending if not await self._try(item, damage)]
            if not claimed_elsewhere:
                break
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable(f"Others have been sending to {self._place.name} for an hour.")
            await asyncio.sleep(_POLL_SECONDS)
            pending = await self._unproven(tuple(claimed_elsewhere))
        if damage:
            raise damage[0]

    async def _try(self, item: Item, damage: list[Corrupt]) -> bool:
        """Bring one object there; False when another job has it in hands."""
        destination_id = self._upload.destination_id
        async with self._job.transaction() as context:
            claim = await objects.claim(
                context.conn, destination_id, item, self._job.id, self._job.fence
            )
        if claim is None:
            return False
        try:
            await asyncio.to_thread(check_source, self._directory, item)
        except Corrupt as error:
            damage.append(error)
            return True
        except NotFound:
            log.info("object is gone", name=item.name)  # since the survey
            self._gone = True
            return True
        bookmark = ObjectBookmark(self._job, self._upload, item.name, claim.bookmark)
        await self._send(item, bookmark)
        async with self._job.transaction() as context:
            await objects.prove(context.conn, destination_id, item)
        return True

    async def _send(self, item: Item, bookmark: ObjectBookmark) -> None:
        if not await is_proven(self._place.store, item):
            await self._put(item, bookmark)
        self._done = Amount(self._done.objects + 1, self._done.size_bytes + item.size)
        await self._progress(
            {
                "phase": "sending",
                "done_bytes": self._done.size_bytes,
                "total_bytes": self._wanted.size_bytes,
                "entries": self._done.objects,
                "current": item.name,
            }
        )

    async def _put(self, item: Item, bookmark: ObjectBookmark) -> None:
        store, path = self._place.store, self._directory.path / item.name
        for _ in range(_TRIES):
            await store.put(item.name, path, bookmark=bookmark)
            if await is_proven(store, item):
                return
            log.warning("object came back changed", name=item.name, destination=self._place.name)
        raise Unproven(
            f"The destination {self._place.name} gives back other bytes for {item.name} than it "
            "was sent.",
            remedy="Check the disk or the service that it is on.",
        )
