"""The envelope around every message: CloudEvents 1.0 in structured JSON mode.

The actor stands in extension attributes, which CloudEvents limits to lower-case letters and digits.
"""

from datetime import UTC, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, field_validator

from common.identifiers import uuid7
from common.messages.base import Message


class Actor(BaseModel):
    """On whose behalf a message was sent."""

    model_config = ConfigDict(frozen=True)

    user: str = ""
    station: str = ""
    address: str = ""


SYSTEM = Actor(user="system")


class Envelope(BaseModel):
    """A message on its way. ``id`` is what consumers remember to act once."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: str = "1.0"
    id: UUID = Field(default_factory=uuid7)
    source: str
    type: str
    subject: str = ""
    time: datetime = Field(default_factory=lambda: datetime.now(UTC))
    datacontenttype: str = "application/json"
    traceparent: str = ""
    actoruser: str = ""
    actorstation: str = ""
    actoraddress: str = ""
    data: SerializeAsAny[Message]

    @property
    def actor(self) -> Actor:
        """On whose behalf the message was sent."""
        return Actor(user=self.actoruser, station=self.actorstation, address=self.actoraddress)

    @field_validator("specversion")
    @classmethod
    def _known_version(cls, value: str) -> str:
        if value != "1.0":
            raise ValueError(f"CloudEvents version {value} is not understood, only 1.0")
        return value


def seal(
    message: Message,
    *,
    source: str,
    actor: Actor = SYSTEM,
    subject: str = "",
    traceparent: str = "",
) -> Envelope:
    """Put ``message`` into an envelope from the service ``source`` on behalf of ``actor``."""
    return Envelope(
        source=source,
        type=message.type,
        subject=subject,
        traceparent=traceparent,
        actoruser=actor.user,
        actorstation=actor.station,
        actoraddress=actor.address,
        data=message,
    )
