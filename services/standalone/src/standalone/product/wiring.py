"""The settings of each service of the one-process product. Each gets its own secrets alone."""

import json
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import SecretStr

from audit_sink.settings import AuditSettings
from backup_worker.settings import WorkerSettings as BackupWorkerSettings
from common.config import EncryptionKeySettings, RepositorySettings, Settings, StationSettings
from common.crypto.keys import WRITER_PREFIX, derive_writer_key, write_key
from common.errors import WrongKey
from common.repository.opening import stored_writer_key
from common.service.environment import load, weaknesses
from gateway.policy import SecretSettings
from gateway.settings import GatewaySettings
from restore_worker.settings import WorkerSettings as RestoreWorkerSettings
from standalone.postgres import Cluster
from standalone.product.address import Address
from standalone.product.datadir import DataDirectory
from standalone.product.machinekeys import settle
from storage_uploader.settings import UploaderSettings
from token_service.settings import TokenKeySettings, TokenServiceSettings

S = TypeVar("S", bound=Settings)
ENCRYPTION_KEY = "backup_encryption_key"
GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Keys:
    """What opens backups, and what only writes them."""

    encryption: SecretStr
    writer: SecretStr


def keys_of(directory: DataDirectory) -> Keys:
    """The keys of this machine: from the environment, else made once in the data directory.

    Raises:
        WrongKey: the repository was made under a key from the environment, which is not there.
    """
    if not load(RepositorySettings).backup_encryption_enabled:
        return Keys(SecretStr(""), _writer(directory, None))
    given = load(EncryptionKeySettings).backup_encryption_key
    if given.get_secret_value():
        return Keys(given, _writer(directory, given))
    settle(directory)
    made_elsewhere = (directory.repository / "config").exists()
    if made_elsewhere and not directory.has_secret(ENCRYPTION_KEY):
        raise WrongKey(
            f"The repository in {directory.repository} was made under a key that is not here.",
            remedy="Set BACKUP_ENCRYPTION_KEY, or BACKUP_ENCRYPTION_KEY_FILE, as before.",
        )
    made = directory.secret(ENCRYPTION_KEY)
    return Keys(made, _writer(directory, made))


def _writer(directory: DataDirectory, encryption: SecretStr | None) -> SecretStr:
    if (directory.repository / "config").exists():  # the encryption key may have been changed
        return SecretStr(stored_writer_key(directory.repository, encryption))
    return SecretStr(write_key(WRITER_PREFIX, derive_writer_key(encryption)))


class Wiring:
    """Makes the settings of the services on ``directory`` and ``cluster``.

    What is not fixed by the data directory is read from the environment, as in every service.
    """

    def __init__(self, directory: DataDirectory, cluster: Cluster, keys: Keys) -> None:
        self._directory = directory
        self._cluster = cluster
        self._keys = keys
        self.weak: list[str] = []
        """A sentence for each weak key in the settings that were made; production makes none."""

    @property
    def bus(self) -> SecretStr:
        """The address of the embedded bus."""
        return SecretStr(self._cluster.url("bus"))

    def _common(self, role: str) -> dict[str, Any]:
        return {
            "database_url": SecretStr(self._cluster.url(role)),
            "strongroom_bus_url": self.bus,
            "amqp_url": SecretStr(""),
            "shutdown_grace_seconds": GRACE_SECONDS,
        }

    def _load(self, cls: type[S], **given: Any) -> S:
        settings = load(cls, **given)
        self.weak += [each for each in weaknesses(settings) if each not in self.weak]
        return settings

    def _own(self, cls: type[Settings]) -> dict[str, SecretStr]:
        """The secrets of ``cls``: from the environment, else made once in the data directory."""
        given, found = load(cls), {}
        for name in cls.model_fields.keys() - Settings.model_fields.keys():
            secret: SecretStr = getattr(given, name)
            found[name] = secret if secret.get_secret_value() else self._directory.secret(name)
        return found

    def gateway(self, address: Address) -> GatewaySettings:
        """The API. Browsers find it where it listens, unless GATEWAY_PUBLIC_URL says otherwise."""
        given = {
            **self._common("gateway"),
            "gateway_host": address.host,
            "gateway_port": address.port,
            "gateway_station": load(StationSettings).strongroom_station,  # there is no other
            "backup_local_dir": self._directory.repository,
            **self._own(SecretSettings),
        }
        configured = self._load(GatewaySettings, **given)
        if "gateway_public_url" in configured.model_fields_set:
            return configured
        return self._load(GatewaySettings, **given, gateway_public_url=address.console_url)

    def backup_worker(self) -> BackupWorkerSettings:
        """The writer: it has the writer key, which opens nothing."""
        return self._load(
            BackupWorkerSettings,
            **self._common("backup_worker"),
            backup_local_dir=self._directory.repository,
            backup_cache_dir=self._directory.cache,
            backup_components_file=self._directory.components,
            backup_writer_key=self._keys.writer,
        )

    def restore_worker(self) -> RestoreWorkerSettings:
        """The reader."""
        return self._load(
            RestoreWorkerSettings,
            **self._common("restore_worker"),
            backup_local_dir=self._directory.repository,
            backup_components_file=self._directory.components,
            backup_restore_dir=self._directory.restores,
            backup_encryption_key=self._keys.encryption,
        )

    def token_service(self) -> TokenServiceSettings:
        """The keyring."""
        return self._load(
            TokenServiceSettings,
            **self._common("token_service"),
            backup_local_dir=self._directory.repository,
            backup_encryption_key=self._keys.encryption,
            **self._own(TokenKeySettings),
        )

    def storage_uploader(self) -> UploaderSettings:
        """The copies; without STRONGROOM_DESTINATIONS a second folder, which only demonstrates."""
        given = {
            **self._common("storage_uploader"),
            "backup_local_dir": self._directory.repository,
        }
        configured = self._load(UploaderSettings, **given)
        if configured.strongroom_destinations:
            return configured
        second = {"name": "second-copy", "url": self._directory.second_copy.as_uri()}
        return self._load(UploaderSettings, **given, strongroom_destinations=json.dumps([second]))

    def audit_sink(self) -> AuditSettings:
        """The audit log."""
        return self._load(
            AuditSettings,
            **self._common("audit_sink"),
            security_audit_log_path=self._directory.audit_log,
        )
