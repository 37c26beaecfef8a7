"""What the service and the process that opens backups say to each other, field by field."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, SecretStr

from common.messages import ComponentResult


class Opening(BaseModel):
    """How the repository is opened."""

    repository: Path
    encryption_key: SecretStr | None
    snapshot_id: str


class RestoreSpec(Opening):
    """One attempt at one restore. ``directory`` is this attempt's own; None for ``in_place``.

    ``done`` are the components that earlier attempts have put into their databases: a database
    that has its name is whole, and is not restored again. The process tells each as ``component``.
    """

    work: Literal["restore"] = "restore"
    restore_id: str
    components_file: Path
    components: tuple[str, ...]
    paths: tuple[str, ...]
    directory: Path | None
    databases: dict[str, str]
    in_place: bool
    done: tuple[ComponentResult, ...] = ()


class Restored(BaseModel):
    """What a restore came to."""

    components: tuple[ComponentResult, ...]
    entries: int
    size_bytes: int
    warnings: tuple[str, ...] = ()


class VerifySpec(Opening):
    """One check of one snapshot."""

    work: Literal["verify"] = "verify"
    read_data: bool


class Checked(BaseModel):
    """What a check came to; ``findings`` is empty when all is well."""

    objects: int
    read_bytes: int
    findings: tuple[str, ...] = ()


class DeleteSpec(Opening):
    """The removal of one snapshot."""

    work: Literal["delete"] = "delete"
    chain: str
    """The deleter's own, which the tombstone goes into."""
    reason: str
