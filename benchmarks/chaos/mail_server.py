"""A mail server that takes every mail, or says nothing at all."""

import socket
import threading
from contextlib import suppress


class MailServer(threading.Thread):
    """Speaks as much of SMTP (RFC 5321) as one mail in plain text needs."""

    def __init__(self) -> None:
        super().__init__(name="mail server", daemon=True)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"smtp://127.0.0.1:{self._server.getsockname()[1]}"
        self.silent = False
        self.taken = 0
        # Connections that were told nothing.
        self.kept_waiting = 0

    def run(self) -> None:
        """Accept connections until the process ends."""
        while True:
            connection, _ = self._server.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if self.silent:
                self.kept_waiting += 1
                connection.recv(1)  # until the other side gives up
                return
            lines = connection.makefile("rwb", buffering=0)
            lines.write(b"220 here\r\n")
            while word := lines.readline()[:4].upper():
                if word == b"DATA":
                    lines.write(b"354 go on\r\n")
                    while lines.readline() not in (b".\r\n", b""):
                        pass
                    self.taken += 1
                lines.write(b"221 bye\r\n" if word == b"QUIT" else b"250 well\r\n")
