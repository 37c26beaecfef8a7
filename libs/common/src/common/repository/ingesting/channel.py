"""Messages between the process of a run and its readers, with open files beside them."""

import errno
import marshal
import select
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Any

_HEAD = struct.Struct("<IH")
_MOST_FILES = 200
_MOST_BYTES = 1024**3


class Gone(Exception):
    """The other side has ended."""


class Crowded(Exception):
    """So many open files of this account are on their way between processes that no more may be."""


class Channel:
    """One end of a connection between two processes of one program on one machine.

    What is sent are tuples and lists of bytes, texts and numbers. The other side is trusted: it is
    this program, and nobody else has the socket.
    """

    def __init__(self, connection: socket.socket, timeout: float | None) -> None:
        connection.settimeout(timeout)
        self._socket = connection
        self._room = select.poll()
        self._room.register(connection, select.POLLOUT)

    def fileno(self) -> int:
        """For ``select``."""
        return self._socket.fileno()

    def send(self, message: tuple[Any, ...]) -> None:
        """Send a message; waits until the other side takes it, and hears nothing meanwhile.

        Raises:
            Gone: nobody takes it.
        """
        try:
            self._socket.sendall(_packed(message))
        except OSError as error:
            raise Gone from error

    def sending(self, message: tuple[Any, ...], files: Sequence[int] = ()) -> Iterator[None]:
        """Send a message; the other side gets these open files too.

        Yields whenever the other side takes no more: then it may be waiting to be heard itself.

        Raises:
            Crowded: not now; nothing was sent.
            Gone: nobody takes it.
        """
        rest = memoryview(_packed(message, len(files)))
        while rest:
            while not self._room.poll(0):
                yield
            try:  # the files go with the first byte, however few follow it
                count = (
                    socket.send_fds(self._socket, [rest], list(files))
                    if files
                    else self._socket.send(rest)
                )
            except OSError as error:
                raise Crowded if error.errno == errno.ETOOMANYREFS else Gone from error
            rest, files = rest[count:], ()

    def receive(self) -> tuple[tuple[Any, ...], list[int]]:
        """The next message, and the open files that came with it.

        Raises:
            Gone: there is none to come.
        """
        try:
            head, files, _, _ = socket.recv_fds(
                self._socket, _HEAD.size, _MOST_FILES, socket.MSG_CMSG_CLOEXEC
            )
            if len(head) < _HEAD.size:
                head += self._exactly(_HEAD.size - len(head))
            length, count = _HEAD.unpack(head)
            if count != len(files) or length > _MOST_BYTES:
                raise Gone
            message = marshal.loads(self._exactly(length))  # noqa: S302 - from this very program
        except OSError as error:
            raise Gone from error
        return message, files

    def close(self) -> None:
        """Let the other side know that nothing more comes."""
        self._socket.close()

    def _exactly(self, length: int) -> bytes:
        found = bytearray(length)
        view = memoryview(found)
        while view:
            count = self._socket.recv_into(view)
            if not count:
                raise Gone
            view = view[count:]
        return bytes(found)


def _packed(message: tuple[Any, ...], files: int = 0) -> bytes:
    body = marshal.dumps(message)
    return _HEAD.pack(len(body), files) + body
