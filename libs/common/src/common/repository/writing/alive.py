"""Whether a run goes on: others may have taken it for dead."""

import time
from contextlib import suppress

from common.errors import Error, NotFound
from common.repository.format.abandonment import is_abandoned
from common.repository.format.frame import MAX_SIZE
from common.repository.format.names import key_name
from common.repository.format.runkey import RunKey
from common.repository.format.writerkeys import WriterKeys
from common.repository.writing.packing import taken_for_dead
from common.storage.local import LocalDirectory

EVERY_SECONDS = 3600.0
"""A run shows so often that it is alive. Prune waits for many times as long."""


class Heartbeat:
    """Shows others that a run is at work: prune, which asks for it only of old ones."""

    def __init__(self, directory: LocalDirectory, owner: str) -> None:
        self._directory = directory
        self._owner = owner
        self._shown = time.monotonic()

    def beat(self) -> None:
        """Show it when it is time. To be called again and again while work is done."""
        now = time.monotonic()
        if now - self._shown >= EVERY_SECONDS:
            self._shown = now
            with suppress(Error):  # there are many more before anyone takes the run for dead
                self._directory.show_life(self._owner)


def is_alive(directory: LocalDirectory, key: RunKey, keys: WriterKeys) -> bool:
    """Whether nobody has taken the run of this key for dead. Raises ``Corrupt``."""
    try:
        data = directory.read(key_name(key.key_id), 0, MAX_SIZE + 1)
    except NotFound:
        return False
    return not is_abandoned(data, key, keys)


def require_alive(directory: LocalDirectory, key: RunKey, keys: WriterKeys) -> None:
    """Fail when the run of this key was taken for dead: also what it has listed may be gone.

    Raises:
        Conflict: it was.
        Corrupt: its key is damaged.
    """
    if not is_alive(directory, key, keys):
        raise taken_for_dead()
