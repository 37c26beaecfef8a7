"""A station with a repository, destinations and uploaders, for tests of what they make of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from pydantic import SecretStr

from common.bus.memory import Broker
from common.messages import BackupCompleted, BackupDeleted, Message, seal, uuid7
from common.service import Runtime
from integration.replicas import connected, replica
from repositories import SealedRepository
from storage_uploader.main import SERVICE
from storage_uploader.settings import Destination, UploaderSettings

_NEVER_COMPARED = "SELECT count(*) FROM destinations WHERE station = $1 AND reconciled_at IS NULL"
M = TypeVar("M", bound=Message)
Uploader = Runtime[UploaderSettings]


@dataclass
class Station:
    """What a test does to the uploaders of one station, and what it hears from them."""

    url: str
    folder: Path
    destinations: list[dict[str, Any]]
    name: str = field(default_factory=lambda: f"station-{uuid4().hex[:8]}")
    broker: Broker = field(default_factory=Broker)
    heard: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.repository = SealedRepository(self.folder / "repository")

    def place(self, name: str = "second") -> Path:
        """The folder of a destination."""
        return self.folder / name

    def names(self, name: str = "second", prefix: str = "") -> list[str]:
        """The objects at a destination."""
        place = self.place(name)
        found = (path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())
        return sorted(each for each in found if each.startswith(prefix))

    def uploader(self, **changes: Any) -> AbstractAsyncContextManager[Uploader]:
        """One replica at work."""
        settings: dict[str, Any] = {
            "database_url": SecretStr(self.url),
            "database_pool_size": 4,
            "backup_local_dir": self.repository.path,
            "strongroom_destinations": tuple(
                Destination.model_validate(each) for each in self.destinations
            ),
            "strongroom_station": self.name,
            "strongroom_upload_retry_seconds": (0.2,),
        }
        return replica(SERVICE, UploaderSettings(**{**settings, **changes}), self.broker)

    async def tell(self, message: Message) -> None:
        """Publish an event as its service would."""
        async with connected(self.broker) as transport:
            await transport.publish(seal(message, source="test"))

    async def back_up(self, packs: int = 3, *, upload: bool = True) -> BackupCompleted:
        """A new backup in the repository, and its announcement."""
        snapshot_id = await asyncio.to_thread(self.repository.add_backup, packs)
        event = completed(self.name, snapshot_id, upload=upload)
        await self.tell(event)
        return event

    async def delete(self, backup: BackupCompleted) -> None:
        """What deleting a backup does: a tombstone comes, the snapshot goes."""
        self.repository.add_backup(packs=0)
        self.repository.directory.delete(f"snapshots/{backup.snapshot_id}")
        await self.tell(
            BackupDeleted(
                deletion_id=str(uuid7()),
                backup_id=backup.backup_id,
                snapshot_id=backup.snapshot_id,
            )
        )

    async def hear(self, type_: type[M], count: int = 1, **fields: Any) -> list[M]:
        """Wait until so many such messages were heard."""
        found: list[M] = []
        async with asyncio.timeout(60):
            while len(found) < count:
                await asyncio.sleep(0.02)
                found = [
                    each
                    for each in self.heard
                    if isinstance(each, type_) and fields.items() <= vars(each).items()
                ]
        return found


async def until_none(uploader: Uploader, counting: str, *values: object) -> None:
    """Wait until a query counts nothing."""
    async with asyncio.timeout(60):
        while await uploader.pool.fetchval(counting, *values):
            await asyncio.sleep(0.05)


async def compared(uploader: Uploader) -> None:
    """The first comparison is over; until then it may bring objects of the first backup."""
    await until_none(uploader, _NEVER_COMPARED, uploader.settings.strongroom_station)


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until ``condition`` holds."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def listening(station: Station) -> AsyncIterator[Station]:
    """The station, with an ear on its bus."""
    async with connected(station.broker) as transport, transport.listen(["#"]) as listening:

        async def collect() -> None:
            async for envelope in listening:
                station.heard.append(envelope.data)

        task = asyncio.create_task(collect())
        try:
            yield station
        finally:
            task.cancel()


def completed(station: str, snapshot_id: str, *, upload: bool = True) -> BackupCompleted:
    """What backup-worker says of a new backup."""
    numbers = dict.fromkeys(("entries", "size_bytes", "added_bytes", "stored_bytes"), 1)
    return BackupCompleted(
        backup_id=str(uuid7()),
        backup_name="nightly",
        station=station,
        plan="nightly",
        backup_type="full",
        snapshot_id=snapshot_id,
        chain="main/nightly",
        counter=1,
        components=(),
        duration_seconds=1.0,
        encrypted=True,
        upload_to_cloud=upload,
        **numbers,
    )


def folder_destination(path: Path, **changes: Any) -> dict[str, Any]:
    """The setting for a destination in a folder; it is named as the folder."""
    return {"name": path.name, "url": f"file://{path}", **changes}
