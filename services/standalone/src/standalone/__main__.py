"""The ``strongroom`` command, from before anything heavy is loaded."""

import sys
from importlib import import_module

_OF_REPOSITORIES = {"repo", "rescue"}


def main() -> None:
    """Begin what takes its time, then load and run the command."""
    if _OF_REPOSITORIES & set(sys.argv[1:2]):  # the others do without what this loads
        import_module("standalone.ahead").stretch_for(sys.argv[2:])
    import_module("standalone.cli").main()


if __name__ == "__main__":
    main()
