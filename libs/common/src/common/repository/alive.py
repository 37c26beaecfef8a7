"""Whether a run goes on: others may have taken it for dead."""

from common.errors import NotFound
from common.repository.format.abandonment import is_abandoned
from common.repository.format.frame import MAX_SIZE
from common.repository.format.names import key_name
from common.repository.format.runkey import RunKey
from common.repository.format.writerkeys import WriterKeys
from common.repository.packing import taken_for_dead
from common.storage.local import LocalDirectory


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
