"""The frame of ``config`` and ``keys/*``: magic, JSON body, MAC, checksum."""

import json
import struct
from typing import Any, NamedTuple

from blake3 import blake3

from common.crypto.equality import compare_digest
from common.errors import Corrupt
from common.repository.format.names import MAGIC_SIZE, Kind, check_magic

MAX_SIZE = 1024**2
_LENGTH = struct.Struct("<I")
_DIGEST = 32
_SHORTEST = MAGIC_SIZE + _LENGTH.size + 2 * _DIGEST


class Frame(NamedTuple):
    """A body whose checksum was right; its MAC is for whoever has the key."""

    name: str
    body: dict[str, Any]
    signed: bytes
    mac: bytes

    def authenticate(self, mac_key: bytes) -> None:
        """Raise ``Corrupt`` unless it was written by a holder of ``mac_key``."""
        if not compare_digest(_mac(self.signed, mac_key), self.mac):
            raise Corrupt(f"{self.name} was changed by someone without the writer key.")


def pack_frame(kind: Kind, body: dict[str, Any], mac_key: bytes) -> bytes:
    """The bytes of the object."""
    text = json.dumps(body, separators=(",", ":")).encode()
    signed = kind.magic + _LENGTH.pack(len(text)) + text
    authenticated = signed + _mac(signed, mac_key)
    return authenticated + blake3(authenticated).digest()


def parse_frame(kind: Kind, data: bytes, name: str) -> Frame:
    """Read the frame and verify its checksum, which takes no key.

    Raises:
        Corrupt: damaged, or not such an object.
    """
    check_magic(kind, data, name)
    if not _SHORTEST <= len(data) <= MAX_SIZE:
        raise Corrupt(f"{name} has an impossible size: {len(data)} bytes.")
    if blake3(data[:-_DIGEST]).digest() != data[-_DIGEST:]:
        raise Corrupt(f"{name} is damaged: its checksum is wrong.")
    signed = data[: -2 * _DIGEST]
    text = signed[MAGIC_SIZE + _LENGTH.size :]
    if _LENGTH.unpack_from(data, MAGIC_SIZE)[0] != len(text):
        raise Corrupt(f"{name} is damaged: its length is wrong.")
    return Frame(name, parse_json(text, name), signed, data[-2 * _DIGEST : -_DIGEST])


def parse_json(text: bytes, name: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        Corrupt: it is something else.
    """
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Corrupt(f"{name} is damaged: its body is not readable.") from error
    if not isinstance(body, dict):
        raise Corrupt(f"{name} is damaged: its body is not an object.")
    return body


def _mac(signed: bytes, mac_key: bytes) -> bytes:
    return blake3(signed, key=mac_key).digest()
