"""The key of a repository is stretched while the rest of the program is loaded.

Stretching is slow on purpose and needs no Python; loading the libraries takes about as long and
needs nothing else. What is prepared here in vain costs a fraction of a second of a processor.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from common.crypto.stretching import described, stretch_ahead
from common.errors import Error
from common.repository.format.frame import MAX_SIZE, parse_frame
from common.repository.format.names import CONFIG, Kind
from standalone.keys.text import key_text

_KEY_FILES = {"--key-file", "--recovery-key-file"}


def stretch_for(arguments: Sequence[str]) -> None:
    """Begin to stretch the key for the first repository among a command's arguments, if any.

    Whatever is wrong is left to the command, which meets it again.
    """
    with suppress(Error, OSError, ValueError, IndexError):
        key = key_text(_key_file(arguments))
        found = next((each for each in map(Path, arguments) if (each / CONFIG).is_file()), None)
        if key is not None and found is not None:
            with (found / CONFIG).open("rb") as file:
                body = parse_frame(Kind.CONFIG, file.read(MAX_SIZE + 1), CONFIG).body
            sealing = body.get("sealing")
            if isinstance(sealing, dict):
                stretch_ahead(key.encode(), *described(sealing))


def _key_file(arguments: Sequence[str]) -> Path | None:
    for number, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in _KEY_FILES:
            return Path(value if equals else arguments[number + 1])
    return None
