"""The ``strongroom`` command, from before anything heavy is loaded."""

import gc
import sys
from importlib import import_module

_OF_REPOSITORIES = {"repo", "rescue"}
_INTERRUPTED = 130


def main() -> None:
    """Begin what takes its time, then load and run the command."""
    try:
        if _OF_REPOSITORIES & set(sys.argv[1:2]):  # the others do without what this loads
            gc.set_threshold(50_000)  # they load much, and make next to no garbage
            import_module("standalone.ahead").stretch_for(sys.argv[2:])
        import_module("standalone.cli").main()
    except KeyboardInterrupt:  # while it loads; a command that has begun ends so by itself
        sys.exit(_INTERRUPTED)
    finally:
        gc.freeze()  # or the interpreter, at its end, goes through all that is there three times


if __name__ == "__main__":
    main()
