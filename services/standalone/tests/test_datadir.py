"""The data directory: what it refuses, and with which words."""

import os
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from common.errors import Conflict, Forbidden, Invalid, NoSpace
from standalone.product.datadir import DataDirectory
from standalone.product.ports import require_free


def test_everything_is_private_whatever_the_umask(tmp_path: Path) -> None:
    """Lost: the privacy of keys and backups on a machine with a careless umask."""
    before = os.umask(0)
    try:
        directory = DataDirectory(tmp_path / "a" / "data")
        with directory.opened():
            directory.secret("backup_encryption_key")
    finally:
        os.umask(before)
    for path in directory.path.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert directory.path.stat().st_mode & 0o777 == 0o700


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    """Lost: every backup, if the key were another at the next start."""
    directory = DataDirectory(tmp_path / "data")
    with directory.opened():
        made = directory.secret("key").get_secret_value()
    with directory.opened():
        assert directory.secret("key").get_secret_value() == made
    assert len(made) >= 43


def test_a_second_instance_is_refused(tmp_path: Path) -> None:
    """Lost: the data, if two products wrote it."""
    with (
        DataDirectory(tmp_path / "data").opened(),
        pytest.raises(Conflict, match="already runs"),
        DataDirectory(tmp_path / "data").opened(),
    ):
        pass


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    """Lost: somebody's home directory, closed and filled by a slip of the hand."""
    (tmp_path / "thesis.txt").write_text("mine")
    tmp_path.chmod(0o755)
    with pytest.raises(Invalid, match="not empty"), DataDirectory(tmp_path).opened():
        pass
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_file_is_no_data_directory(tmp_path: Path) -> None:
    """Lost: a sentence instead of a traceback."""
    (tmp_path / "file").touch()
    with pytest.raises(Invalid, match="is a file"), DataDirectory(tmp_path / "file").opened():
        pass
    below = DataDirectory(tmp_path / "file" / "below")
    with pytest.raises(Invalid, match="cannot be used"), below.opened():
        pass


def test_a_full_disk_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the warning; a database that fails in mid-write would be the first sign."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=5 << 20))
    with pytest.raises(NoSpace, match="Only 5 MB are free"), DataDirectory(tmp_path).opened():
        pass


def test_a_missing_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost: which folder it was."""

    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "closed"))

    monkeypatch.setattr(Path, "mkdir", refuse)
    directory = DataDirectory(tmp_path / "closed" / "data")
    with pytest.raises(Forbidden, match=r"permission denied .*closed"), directory.opened():
        pass


def test_a_folder_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: secrets in a folder whose owner can replace them."""
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(Forbidden, match="another user"), DataDirectory(tmp_path).opened():
        pass


def test_a_used_port_is_named_with_the_way_out() -> None:
    """Lost: the sentence; the error would come after half a minute of starting."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(Conflict, match=rf"Port {port} .* already used .* --port"):
            require_free("127.0.0.1", port)
    require_free("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    """Lost: a mistyped --host found at once."""
    with pytest.raises(Invalid, match=r"cannot listen on 192\.0\.2\.1"):
        require_free("192.0.2.1", 8000)
