"""What the service and the process that captures say to each other, field by field.

The service gives a ``CaptureSpec``; the process answers ``prepared`` when all but the snapshot is
durable. Inside its transaction the service asks for the ``head`` of the chain and says ``commit``
with the place it has decided on; the process writes the snapshot and answers ``written``.
"""

from datetime import datetime
from pathlib import Path
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, SecretStr

from common.components.component import Amount
from common.messages import ComponentResult


class CaptureSpec(BaseModel):
    """One attempt at one backup."""

    repository: Path
    config: str | None
    """The ``config`` in base64, for a repository that has none yet."""
    writer_key: SecretStr
    components_file: Path
    components: tuple[str, ...]
    run_id: UUID
    earlier_runs: tuple[UUID, ...] = ()
    """Of earlier attempts at this backup: a snapshot of one of them is adopted."""
    dead_runs: tuple[UUID, ...] = ()
    """Of backups that have ended: their litter is removed."""
    cache: Path
    """Where it is kept what is known of unchanged files."""
    reread: bool
    """Whether even those are read."""
    processes: int | None
    expected: Amount | None = None
    """What the last such backup had; without it the components are counted."""
    compression_type: Literal["zstd", "gzip", "lz4", "none"]
    compression_level: int
    backup_id: str
    backup_name: str
    station: str
    plan: str
    chain: str
    backup_type: str
    created: datetime


class Written(BaseModel):
    """A snapshot that stands in the repository."""

    snapshot_id: str
    chain: str
    counter: int
    components: tuple[ComponentResult, ...]
    entries: int
    size_bytes: int
    added_bytes: int
    stored_bytes: int
    encrypted: bool
    warnings: tuple[str, ...] = ()


class Prepared(BaseModel):
    """All but the snapshot is durable; or an earlier attempt had written even that."""

    adopted: Written | None = None
    clean_runs: tuple[UUID, ...] = ()
    """Runs of which nothing is left over."""
