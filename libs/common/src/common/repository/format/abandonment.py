"""The mark on a run key that its run was found dead."""

from common.errors import Corrupt
from common.repository.format.frame import pack_frame, parse_frame
from common.repository.format.names import Kind, key_name
from common.repository.format.runkey import RunKey
from common.repository.format.writerkeys import WriterKeys


def mark_abandoned(data: bytes, name: str, keys: WriterKeys) -> bytes:
    """The object again, saying that its run is dead and writes nothing more."""
    frame = parse_frame(Kind.KEY, data, name)
    frame.authenticate(keys.key_mac)
    return pack_frame(Kind.KEY, {**frame.body, "abandoned": True}, keys.key_mac)


def is_abandoned(data: bytes, key: RunKey, keys: WriterKeys) -> bool:
    """Whether the object of this run key has the mark; nothing else in it is looked at.

    Raises:
        Corrupt: damaged, changed, or another key's.
    """
    name = key_name(key.key_id)
    frame = parse_frame(Kind.KEY, data, name)
    frame.authenticate(keys.key_mac)
    if frame.body.get("key") != key.key_id.hex():
        raise Corrupt(f"{name} is the object of another run key under this name.")
    return frame.body.get("abandoned", False) is not False
