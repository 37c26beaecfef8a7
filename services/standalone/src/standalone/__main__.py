"""The ``strongroom`` command, from before anything heavy is loaded."""

import gc
import sys
from importlib import import_module

_OF_REPOSITORIES = {"repo", "rescue"}


def main() -> None:
    """Begin what takes its time, then load and run the command."""
    if _OF_REPOSITORIES & set(sys.argv[1:2]):  # the others do without what this loads
        gc.set_threshold(50_000)  # they load much, and make next to no garbage
        import_module("standalone.ahead").stretch_for(sys.argv[2:])
    try:
        import_module("standalone.cli").main()
    finally:
        gc.freeze()  # or the interpreter, at its end, goes through all that is there three times


if __name__ == "__main__":
    main()
