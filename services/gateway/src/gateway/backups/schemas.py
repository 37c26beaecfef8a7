"""Backups as the API takes and shows them."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from common.messages import BackupType, Failure
from gateway.backups.domain import COMPONENT, NAME, STATION, BackupState
from gateway.backups.handlers import Wish
from gateway.backups.store import Listed, Statistics

EXAMPLE_ID = "019ab0c4-7d1e-7c3a-9b57-6a1f0f3c2d11"


def _distinct(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("must name each component once")
    return names


Name = Annotated[str, StringConstraints(pattern=NAME)]
Station = Annotated[str, StringConstraints(pattern=STATION)]
Component = Annotated[str, StringConstraints(pattern=COMPONENT)]
Components = Annotated[list[Component], Field(max_length=64), AfterValidator(_distinct)]


class BackupRequest(BaseModel):
    """A backup to be taken. Everything has a default: an empty body backs up all of the station."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"backup_name": "before-the-update", "components": ["database", "files"]},
                {},
            ]
        },
    )

    backup_name: Name | None = Field(
        default=None, description="Unique among the backups that are there; else one is made."
    )
    components: Components = Field(
        default_factory=list, description="As configured on the station; none means all."
    )
    backup_type: BackupType = "full"
    station: Station | None = Field(
        default=None, description="Whose data; by default that of the gateway's own station."
    )
    upload_to_cloud: bool = Field(default=True, description="Copy it to every destination.")

    def wish(self, station: str) -> Wish:
        """What is asked for; ``station`` is meant when none is named."""
        return Wish(
            name=self.backup_name or "",
            station=self.station or station,
            backup_type=self.backup_type,
            components=tuple(self.components),
            upload_to_cloud=self.upload_to_cloud,
        )


class VerifyRequest(BaseModel):
    """How thoroughly to verify."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"read_data": True}]})

    read_data: bool = Field(
        default=True, description="Read and decrypt every byte, not only the structure."
    )


class CopyAnswer(BaseModel):
    """Where a copy of a backup is, or why it is not there yet."""

    destination: str = Field(examples=["second-disk"])
    state: str = Field(examples=["completed"])
    objects: int = 0
    size_bytes: int = 0
    failure: Failure | None = None
    retry_at: datetime | None = None
    told_at: datetime


class BackupAnswer(BaseModel):
    """A backup: what was taken, what it costs, where it is, and when it was last proven."""

    id: str = Field(examples=[EXAMPLE_ID])
    name: str = Field(examples=["before-the-update"])
    state: BackupState
    station: str = Field(examples=["main"])
    plan: str = Field(examples=["manual"])
    backup_type: str = Field(examples=["full"])
    components: list[str] = Field(examples=[["database", "files"]])
    created_at: datetime
    finished_at: datetime | None = None
    snapshot_id: str = Field(default="", description="Its name in the repository.")
    entries: int = Field(default=0, description="Files, folders, links, databases.")
    size_bytes: int = Field(default=0, description="What was read.", examples=[1048576])
    added_bytes: int = Field(default=0, description="What was not there before.")
    stored_bytes: int = Field(default=0, description="What that takes, compressed and sealed.")
    duration_seconds: float = 0.0
    encrypted: bool | None = None
    warnings: list[str] = Field(default_factory=list)
    failure: Failure | None = None
    verified_at: datetime | None = None
    verified_ok: bool | None = None
    restored_at: datetime | None = Field(default=None, description="The last restore that worked.")
    copies: list[CopyAnswer] = Field(default_factory=list)

    @classmethod
    def of(cls, listed: Listed) -> "BackupAnswer":
        """The backup, as shown."""
        shown: dict[str, Any] = asdict(listed.backup)
        return cls.model_validate({**shown, "copies": [asdict(copy) for copy in listed.copies]})


class BackupPage(BaseModel):
    """Some backups, newest first, and how many there are in all."""

    backups: list[BackupAnswer]
    total: int = Field(examples=[1])
    limit: int = Field(examples=[50])
    offset: int = Field(examples=[0])


class Limits(BaseModel):
    """Which part of a list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=200)
    offset: int = Field(default=0, ge=0, le=1_000_000)


class BackupFilter(Limits):
    """Which backups."""

    state: list[BackupState] = Field(
        default_factory=list,
        max_length=len(BackupState),
        description="Any of these; by default all but deleted ones.",
    )
    station: Station | None = None
    name: Name | None = None


class DestinationAnswer(BaseModel):
    """How much of what is there has a copy at a destination."""

    destination: str = Field(examples=["second-disk"])
    completed: int = Field(examples=[12])
    failed: int = Field(examples=[0])
    size_bytes: int = Field(examples=[1048576])


class OverviewAnswer(BaseModel):
    """Numbers over all backups."""

    last_completed_at: datetime | None = Field(description="The last good backup.")
    last_verified_at: datetime | None = Field(description="The last verification without findings.")
    last_restored_at: datetime | None = Field(description="The last restore that worked.")
    last_failed_at: datetime | None
    active: int = Field(description="Backups that wait or run.", examples=[0])
    damaged: int = Field(description="Backups whose last verification had findings.", examples=[0])
    unverified: int = Field(description="Backups that were never verified.", examples=[3])
    backups: dict[str, int] = Field(
        description="How many in each state.", examples=[{"completed": 12, "failed": 1}]
    )
    operations: dict[str, dict[str, int]] = Field(
        description="How many of each kind in each state.", examples=[{"restore": {"succeeded": 2}}]
    )
    size_bytes: int = Field(description="What the backups that are there have read.")
    added_bytes: int = Field(description="What of that was not there before.")
    stored_bytes: int = Field(
        description="What that takes. What deleted backups have left in the repository, for others"
        " or until a prune, is not in it: `strongroom repo stats` measures that."
    )
    destinations: list[DestinationAnswer]

    @classmethod
    def of(cls, numbers: Statistics) -> "OverviewAnswer":
        """The numbers, as shown."""
        shown = asdict(numbers)
        return cls.model_validate(
            {**shown, "backups": numbers.by_state, "destinations": numbers.copies}
        )
