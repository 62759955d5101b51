"""An endpoint that costs next to nothing: 204 to every POST, and silence under ``/hang``.

``python -m benchmarks.receiving FD`` serves on a listening socket until it is ended. It does not
look at what it gets, so that the machine is the sender's.
"""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_HANG = b"POST /hang"


@contextmanager
def receiver() -> Iterator[str]:
    """Run the endpoint in a process of its own, and give its URL without a path."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        number = listening.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.receiving", str(number)], cwd=ROOT, pass_fds=[number]
        )
        port = listening.getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


class _Endpoint(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].lower()
            start = head.index(b"content-length:") + 15
            length = int(head[start:].split(b"\r\n", 1)[0])
            if len(self._data) < end + 4 + length:
                return
            hangs = self._data.startswith(_HANG)
            self._data = self._data[end + 4 + length :]
            if not hangs:
                self._transport.write(_ANSWER)  # type: ignore[attr-defined]  # set before any data comes


async def _serve(number: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Endpoint, sock=socket.socket(fileno=number), backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
