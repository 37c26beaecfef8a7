"""What storage-uploader tells, and tells itself to do."""

from datetime import datetime
from typing import ClassVar

from common.messages.base import Command, Event, Failure


class RunUpload(Command):
    """One round of bringing a destination up to date, from storage-uploader to itself.

    Each destination has its own queue, so that one that hangs holds up no other.
    """

    type: ClassVar[str] = "upload.run"
    queue: ClassVar[str] = "storage-uploader.commands"

    upload_id: str
    destination: str
    station: str = "main"
    backup_id: str = ""
    round: int = 1

    def address(self) -> str:
        """The queue of the destination at its station."""
        return f"{super().address()}.{self.destination}"


class UploadCompleted(Event):
    """Every object that the backup needs is proven to be at the destination.

    ``objects`` and ``size_bytes`` say what was missing there when its last round began.
    """

    type: ClassVar[str] = "upload.completed"

    backup_id: str
    destination: str
    objects: int
    size_bytes: int
    duration_seconds: float


class UploadFailed(Event):
    """The destination does not have the backup (yet); ``retry_at`` is the next attempt."""

    type: ClassVar[str] = "upload.failed"

    backup_id: str
    destination: str
    failure: Failure
    retry_at: datetime | None = None
