"""A run and its readers talk through sockets that hold less than either has to say."""

import os
import socket
from pathlib import Path
from uuid import uuid4

import pytest

from common.components.files import FilesComponent
from common.repository.ingesting import crew, readers
from common.repository.prepared import SnapshotMeta
from vault import Vault, noise

FILES = 1500


@pytest.fixture
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets that hold a part of a message."""
    real = socket.socketpair

    def pair() -> tuple[socket.socket, socket.socket]:
        ends = real()
        for end in ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        return ends

    monkeypatch.setattr(socket, "socketpair", pair)
    monkeypatch.setattr(crew, "_WORTHWHILE_FILES", 0)
    monkeypatch.setattr(readers, "_SILENCE_SECONDS", 10.0)
    monkeypatch.setattr(readers, "_END_SECONDS", 0.5)


@pytest.mark.usefixtures("_narrow")
def test_a_run_hears_its_readers_while_it_waits_to_speak(vault: Vault, tmp_path: Path) -> None:
    """Lost: every backup of files with large attributes: both wait to be heard."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(FILES):
        (tree / str(number)).write_bytes(noise(100, number))
        os.setxattr(tree / str(number), "user.note", noise(500, number))
    with vault.writer().begin(uuid4(), processes=1) as run:
        with run.component("files", "files") as sink:
            sink.details = FilesComponent.of("files", [tree]).capture(sink)
        info = run.finish(SnapshotMeta("b", "b", "c")).commit_next()
    assert info.components[0].size == FILES * 100
    assert vault.reader().check(read_data=True).ok
