"""What token-service is asked and tells."""

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
