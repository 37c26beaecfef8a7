import os
from pathlib import Path


def not_ready(restore_dir: Path) -> str | None:
    """Why nothing could be restored now, in a sentence; None when it could."""
    place = restore_dir
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        return f"{restore_dir} cannot be written to: set BACKUP_RESTORE_DIR or correct its owner."
    return None
