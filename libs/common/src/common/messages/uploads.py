"""What storage-uploader tells."""

from datetime import datetime
from typing import ClassVar

from common.messages.base import Event, Failure


class UploadCompleted(Event):
    """Every object that the backup needs is proven to be at the destination."""

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
