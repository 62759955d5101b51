"""The accepted connections of the web server, whose responses keep few threads waiting."""

import errno
import select
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

# How long a thread waits for a slow reader to read some more: a third of the kernel's buffer.
SEND_SECONDS = 60


class ResponseSocket(socket.socket):
    """A connection whose responses keep few threads waiting.

    What fits into the kernel's buffer is sent at once. For the rest a thread waits, if not too many
    do already; else the connection is reset, as is one whose client reads nearly nothing.

    Args:
        accepted: The accepted connection, which this one replaces.

    Attributes:
        slots: One for each thread that may wait; set it before each response.
        broken_off: Whether a response was, so that the connection has to be reset.
        identify_caller: Called by a thread with who sent the request that it works on.
    """

    slots: threading.Semaphore
    identify_caller: Callable[[str], None]
    broken_off = False

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(fileno=accepted.detach())

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of ``data``.

        Raises:
            ConnectionResetError: The client is too slow, or too many are.
        """
        rest = self._send_what_fits(memoryview(data).cast("B"))
        if not rest:
            return
        if not self.slots.acquire(blocking=False):
            raise self._break_off("too many slow readers")
        try:
            writable = select.poll()
            writable.register(self, select.POLLOUT)
            while rest:
                if not writable.poll(1000 * SEND_SECONDS):
                    raise self._break_off("the client does not read")
                rest = self._send_what_fits(rest)
        finally:
            self.slots.release()

    def shutdown(self, how: int) -> None:
        """Have the connection reset: gunicorn calls this for a response that an error broke off.

        To a client of HTTP/1.0 it would else seem to be whole.

        Raises:
            ConnectionResetError: Always, so that gunicorn only closes it.
        """
        reset_on_close(self)
        raise self._break_off("the response broke off")

    def _break_off(self, reason: str) -> ConnectionResetError:
        self.broken_off = True
        return ConnectionResetError(errno.ECONNRESET, reason)

    def _send_what_fits(self, data: memoryview) -> memoryview:
        with suppress(BlockingIOError):
            while data:
                data = data[self.send(data, socket.MSG_DONTWAIT) :]
        return data


def reset_on_close(connection: socket.socket) -> None:
    """Let a connection's close be a reset: the kernel keeps nothing of what is not read."""
    with suppress(OSError):  # it is closed already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
