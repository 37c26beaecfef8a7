"""Settings fragments, read from the environment under the names in the requirements.

A service's own ``settings.py`` inherits the fragments that it needs and no other, so that no
service even reads a secret that is not its own. ``NAME_FILE`` names a file that holds the value of
``NAME``; a value that stands directly in the environment wins. What is empty counts as not set.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from common.errors import Invalid

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Strong:
    """Marks a secret that protects data: where it is set and weak, production does not start.

    ``several``: it may hold older keys after the newest, divided by commas. They only open what was
    sealed before, and are not judged.
    """

    least: int = 32
    several: bool = False


KeyText = Annotated[SecretStr, Strong()]
RotatingKey = Annotated[SecretStr, Strong(several=True)]
TEN_YEARS = 315_360_000
"""In seconds. No time in a setting is longer: a date that far on can still be written down."""


def _from_json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("it is no JSON") from None  # its text may hold a secret


FromJson = Annotated[T, BeforeValidator(_from_json)]
"""What is written as JSON, in the environment or in a file."""


class FileSource(PydanticBaseSettingsSource):
    """Reads the value of NAME from the file that NAME_FILE names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The content of the file without its last newline, or None."""
        del field
        variable = f"{field_name}_file".upper()
        path = os.environ.get(variable)
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text().rstrip("\n"), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it holds no text"
            raise Invalid(
                f"{variable} names {path}, which cannot be read: {reason}.",
                remedy="Correct the path or the permissions of the file.",
            ) from error

    def __call__(self) -> dict[str, Any]:
        """Every value found, by field name."""
        found = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in found.items() if value}


class Settings(BaseSettings):
    """What every service has: where it runs, how it logs, and where it answers health checks."""

    model_config = SettingsConfigDict(
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        env_ignore_empty=True,
        enable_decoding=False,  # FromJson does it, for files too
    )

    environment: Literal["development", "production"] = "production"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    health_host: str = "0.0.0.0"  # noqa: S104 - an orchestrator probes from outside the container
    health_port: int = Field(default=8081, ge=0, le=65535)
    shutdown_grace_seconds: float = Field(default=25.0, gt=0, le=86_400)
    otel_exporter_otlp_endpoint: str = ""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the files that it names."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, FileSource(settings_cls)


class DatabaseSettings(Settings):
    """The service's own PostgreSQL role and, through it, schema."""

    database_url: SecretStr = Field(
        description="the service's database, postgresql://user:password@host:5432/database"
    )
    database_pool_size: int = Field(default=8, ge=2)


class BusSettings(Settings):
    """RabbitMQ; without AMQP_URL the embedded transport needs STRONGROOM_BUS_URL (PostgreSQL).

    With ``amqps://`` the broker's certificate is verified: by ``amqp_ca_file`` where its authority
    is not among the system's. The other two are the client's own, where the broker asks for one.
    """

    amqp_url: SecretStr = SecretStr("")
    amqp_ca_file: Path | None = None
    amqp_certificate_file: Path | None = None
    amqp_key_file: Path | None = None
    strongroom_bus_url: SecretStr = SecretStr("")


class ServiceSettings(DatabaseSettings, BusSettings):
    """What every service of the platform needs."""


class StationSettings(Settings):
    """Which station's work this process takes, and how much of it at once."""

    strongroom_station: str = Field(default="main", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")
    strongroom_slots: int = Field(default=2, ge=1, le=64)
    strongroom_lease_seconds: float = Field(default=30.0, ge=1, le=86_400)


class RepositorySettings(Settings):
    """Where the repository is and how content is stored in it."""

    backup_local_dir: Path = Path("/app/backups")
    backup_encryption_enabled: bool = True
    backup_compression_type: Literal["zstd", "gzip", "lz4", "none"] = "zstd"
    backup_compression_level: int = Field(default=3, ge=1, le=19)


class ComponentSettings(Settings):
    """What this station can back up: a TOML file, see docs/how-to/configure-components.md."""

    backup_components_file: Path = Path("/etc/strongroom/components.toml")


class WriterKeySettings(Settings):
    """What a worker needs to write and deduplicate, and cannot read with."""

    backup_writer_key: SecretStr = SecretStr("")


class EncryptionKeySettings(Settings):
    """What opens the repository's private key: only restore-worker and token-service have it."""

    backup_encryption_key: KeyText = SecretStr("")
