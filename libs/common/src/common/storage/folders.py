"""Folders that only their owner can enter, and that survive a power cut."""

import os
import stat
from pathlib import Path

FOLDER_MODE = 0o700


def make_folders(path: Path) -> None:
    """Create the folder and those above it that are missing."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        make_folder(folder)


def make_folder(path: Path) -> None:
    """Create one folder, 0700 whatever the umask, durably. One that is there stays as it is."""
    try:
        path.mkdir(FOLDER_MODE)
    except FileExistsError:
        pass
    else:
        path.chmod(FOLDER_MODE)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in the folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def close_to_others(path: Path) -> None:
    """Make an existing empty folder of ours 0700; any other is its administrator's business."""
    found = path.stat()
    shared = found.st_uid != os.geteuid() or found.st_mode & stat.S_ISVTX
    if not shared and not any(path.iterdir()):
        path.chmod(FOLDER_MODE)
