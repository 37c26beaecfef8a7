"""The ``strongroom`` command, from before anything heavy is loaded."""

import sys
from importlib import import_module

from standalone.ahead import stretch_for


def main() -> None:
    """Begin what takes its time, then load and run the command."""
    stretch_for(sys.argv[1:])
    import_module("standalone.cli").main()


if __name__ == "__main__":
    main()
