"""What token-service is asked and tells."""

from datetime import datetime
from typing import ClassVar

from common.messages.base import Event, Message, Question


class GetRepositoryConfig(Question):
    """The repository's ``config`` object (docs/format.md), made at the first call."""

    type: ClassVar[str] = "keyring.config"
    queue: ClassVar[str] = "token-service.questions"


class RepositoryConfig(Message):
    """The bytes of the ``config`` object, base64. Private parts in it are sealed."""

    type: ClassVar[str] = "keyring.config.answer"

    repository_id: str
    config: str


class RepositoryCreated(Event):
    """The keyring has made the keys of a new repository."""

    type: ClassVar[str] = "repository.created"

    repository_id: str


class GetSealing(Question):
    """How many secrets the service keeps sealed, and how many of them under former keys."""

    type: ClassVar[str] = "keyring.sealing"
    queue: ClassVar[str] = "token-service.questions"


class SealingStanding(Message):
    """The secrets that are sealed under the keys of a setting; without ``key_id`` it is not set.

    ``waiting`` are not under the newest key, and ``unreadable`` of those under none that is here.
    ``resealed`` were sealed anew since the newest key came.
    """

    type: ClassVar[str] = "keyring.sealing.answer"

    key_id: str = ""
    former_keys: int = 0
    secrets: int = 0
    waiting: int = 0
    unreadable: int = 0
    resealed: int = 0
    finished_at: datetime | None = None
