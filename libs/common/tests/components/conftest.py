"""What the tests of components stand on."""

import os
import pickle
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

NOBODY = 65534


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account can enter and write to."""
    folder = Path(tempfile.mkdtemp(prefix="strongroom-test-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def as_nobody() -> Callable[[Callable[[], Any]], Any]:
    """Runs a function as an account without rights, in a process of its own."""

    def run(function: Callable[[], Any]) -> Any:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            with os.fdopen(writer, "wb") as pipe:
                try:
                    if os.geteuid() == 0:
                        os.setgroups([])
                        os.setgid(NOBODY)
                        os.setuid(NOBODY)
                    pickle.dump(function(), pipe)
                except BaseException:  # noqa: BLE001 - the parent raises it
                    pickle.dump(AssertionError(traceback.format_exc()), pipe)
                finally:
                    pipe.close()
                    os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            result = pickle.load(pipe)
        os.waitpid(child, 0)
        if isinstance(result, AssertionError):
            raise result
        return result

    return run
