"""The ``strongroom`` command, from before anything heavy is loaded."""

import gc
import os
import sys
from importlib import import_module
from io import TextIOWrapper

_OF_REPOSITORIES = {"repo", "rescue"}
_INTERRUPTED = 130


def main() -> None:
    """Begin what takes its time, then load and run the command."""
    _fill_closed_streams()
    _take_all_letters()
    try:
        if _OF_REPOSITORIES & set(sys.argv[1:2]):  # the others do without what this loads
            gc.set_threshold(50_000)  # they load much, and make next to no garbage
            import_module("standalone.keys.ahead").stretch_for(sys.argv[2:])
        import_module("standalone.cli").main()
    except KeyboardInterrupt:  # while it loads; a command that has begun ends so by itself
        sys.exit(_INTERRUPTED)
    finally:
        gc.freeze()  # or the interpreter, at its end, goes through all that is there three times


def _fill_closed_streams() -> None:
    """Lead each standard stream that is closed to nowhere, here and for the processes begun here.

    Else the next file that is opened, which may be a repository's, gets its number.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r"))


def _take_all_letters() -> None:
    """Let no text for people fail for letters that a stream has not."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
