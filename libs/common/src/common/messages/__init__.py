"""Every command, event and question that crosses a service border.

Commands are imperative and have one receiver; events are past tense and have any number of
listeners; questions are answered on the same bus. Fields are only ever added, with a default;
anything else is a new type. ``libs/common/tests/golden`` holds one JSON file for each type.
"""

from common.identifiers import uuid7
from common.messages.audit import AuditPage, AuditRecorded, QueryAudit
from common.messages.backups import (
    BackupCancelled,
    BackupCompleted,
    BackupFailed,
    BackupStarted,
    BackupType,
    CancelBackup,
    RunBackup,
)
from common.messages.base import (
    Command,
    ComponentResult,
    Event,
    Failure,
    Message,
    Question,
    QuestionFailed,
    Record,
    operation_id,
)
from common.messages.envelope import SYSTEM, Actor, Envelope, seal
from common.messages.jobs import JobProgressed
from common.messages.keyring import (
    GetRepositoryConfig,
    GetSealing,
    RepositoryConfig,
    RepositoryCreated,
    SealingStanding,
)
from common.messages.registry import Unreadable, decode, encode, types
from common.messages.restores import (
    BackupDeleted,
    BackupVerified,
    CancelRestore,
    DeleteBackup,
    DeletionFailed,
    RestoreCancelled,
    RestoreCompleted,
    RestoreFailed,
    RestoreStarted,
    RunRestore,
    VerificationFailed,
    VerifyBackup,
)
from common.messages.uploads import RunUpload, UploadCompleted, UploadFailed

__all__ = [
    "SYSTEM",
    "Actor",
    "AuditPage",
    "AuditRecorded",
    "BackupCancelled",
    "BackupCompleted",
    "BackupDeleted",
    "BackupFailed",
    "BackupStarted",
    "BackupType",
    "BackupVerified",
    "CancelBackup",
    "CancelRestore",
    "Command",
    "ComponentResult",
    "DeleteBackup",
    "DeletionFailed",
    "Envelope",
    "Event",
    "Failure",
    "GetRepositoryConfig",
    "GetSealing",
    "JobProgressed",
    "Message",
    "QueryAudit",
    "Question",
    "QuestionFailed",
    "Record",
    "RepositoryConfig",
    "RepositoryCreated",
    "RestoreCancelled",
    "RestoreCompleted",
    "RestoreFailed",
    "RestoreStarted",
    "RunBackup",
    "RunRestore",
    "RunUpload",
    "SealingStanding",
    "Unreadable",
    "UploadCompleted",
    "UploadFailed",
    "VerificationFailed",
    "VerifyBackup",
    "decode",
    "encode",
    "operation_id",
    "seal",
    "types",
    "uuid7",
]
