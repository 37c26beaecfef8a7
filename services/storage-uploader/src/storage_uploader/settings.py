from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from common.config import (
    TEN_YEARS,
    FromJson,
    RepositorySettings,
    ServiceSettings,
    StationSettings,
)

Pause = Annotated[float, Field(gt=0, le=TEN_YEARS)]


class Destination(BaseModel):
    """A place that the repository is copied to."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    url: SecretStr
    """Its address, which may hold a secret."""
    bytes_per_second: int | None = Field(default=None, ge=1024)
    mirror_deletions: bool = False
    """Whether a backup that is deleted here disappears from the list there as well."""


class UploaderSettings(ServiceSettings, StationSettings, RepositorySettings):
    """What storage-uploader reads from its environment. It holds no key."""

    strongroom_destinations: FromJson[tuple[Destination, ...]] = ()
    strongroom_reconcile_seconds: float = Field(default=21_600, ge=1, le=TEN_YEARS)
    """How often each destination is listed and compared with what should be there."""
    strongroom_upload_retry_seconds: FromJson[tuple[Pause, ...]] = Field(
        default=(60, 300, 1_800, 7_200, 21_600, 86_400), min_length=1
    )
    """The pauses between rounds of an upload that fails; the last one is repeated."""

    @field_validator("strongroom_destinations")
    @classmethod
    def _names_differ(cls, value: tuple[Destination, ...]) -> tuple[Destination, ...]:
        if len({destination.name for destination in value}) < len(value):
            raise ValueError("two destinations have the same name")
        return value
