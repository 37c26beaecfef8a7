import os
from pathlib import Path

import pytest

from common.errors import Invalid
from restore_worker.readiness import not_ready
from restore_worker.settings import WorkerSettings


def test_ready_before_the_first_restore(tmp_path: Path) -> None:
    assert not_ready(tmp_path / "not" / "yet") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_somebody_else() -> None:
    """On the day of the restore it is too late to find out."""
    reason = not_ready(Path("/usr/restores"))
    assert reason is not None
    assert "BACKUP_RESTORE_DIR" in reason


def test_the_key() -> None:
    """None opens a repository without encryption; an empty key opens nothing."""
    url = "postgresql:///x"
    assert (
        WorkerSettings(database_url=url, backup_encryption_enabled=False).encryption_key() is None
    )
    key = WorkerSettings(database_url=url, backup_encryption_key="secret").encryption_key()
    assert key is not None
    assert key.get_secret_value() == "secret"
    with pytest.raises(Invalid, match="BACKUP_ENCRYPTION_KEY"):
        WorkerSettings(database_url=url).encryption_key()
