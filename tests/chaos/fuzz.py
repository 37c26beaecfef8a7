"""Coverage-guided fuzzing of every parser, as long as one likes: ``python -m chaos.fuzz PARSER``.

It needs ``uv pip install atheris``, which is no dependency: what it finds becomes a test.
"""

import importlib
import sys
from typing import Any

from chaos.parsers import PARSERS
from common.errors import Corrupt, Invalid, WrongKey


def main(arguments: list[str]) -> None:
    """Fuzz the parser called so; further arguments are libFuzzer's."""
    names = [parser.name for parser in PARSERS]
    if not arguments or arguments[0] not in names:
        raise SystemExit(f"Name one of: {', '.join(names)}.")
    atheris: Any = importlib.import_module("atheris")
    atheris.instrument_all()
    parser = PARSERS[names.index(arguments[0])]

    def once(data: bytes) -> None:
        try:
            parser.read(data)
        except (Corrupt, Invalid, WrongKey):
            return

    atheris.Setup([sys.argv[0], "-rss_limit_mb=512", "-timeout=10", *arguments[1:]], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
