import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from standalone.postgres import Cluster

MakeCluster = Callable[[], Cluster]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account may pass through, as pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="strongroom-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def make_cluster(open_folder: Path) -> Iterator[MakeCluster]:
    """Makes handles on one cluster; whichever still runs is stopped, then all is removed."""
    made: list[Cluster] = []

    def make() -> Cluster:
        made.append(
            Cluster(open_folder / "home", shelter=open_folder / "shelter", create_account=False)
        )
        return made[-1]

    yield make
    for cluster in made:
        cluster.destroy()
