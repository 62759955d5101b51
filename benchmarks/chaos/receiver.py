"""The clients' endpoint: a process that writes down every message and answers as it is told.

Run as ``python -m benchmarks.chaos.receiver LOG SECRETS``; it takes orders from its standard input,
one word a line, and ends with it.
"""

import hashlib
import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from webhooks.receiver.application import Message, Receiver, Reply

WELL, ERROR, HANG, RESET, REFUSE, BUSY = "well", "error", "hang", "reset", "refuse", "busy"
GONE, ENDLESS = "gone", "endless"


class _Endless:
    """An answer whose body does not end; each connection gets one of its own."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        yield from itertools.repeat(1000 * b"x")


_REPLIES = {
    WELL: Reply(),
    ERROR: Reply(status=500),
    HANG: Reply(hang=True),
    RESET: Reply(reset=True),
    BUSY: Reply(status=429, headers={"retry-after": "2"}),
    GONE: Reply(status=410),
    ENDLESS: Reply(raw=_Endless(), pause=0.01),
}
# Milliseconds would flatter an endpoint on the same machine.
_DELAY = 0.005


class Endpoint:
    """The receiver's process, from the side of the harness.

    Args:
        folder: Where it writes.
        secrets: Each client's id, and the secret that its messages are signed with.
    """

    def __init__(self, folder: Path) -> None:
        self.log = folder / "messages.jsonl"
        self._secrets = folder / "secrets.json"
        self._secrets.write_text("{}")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.chaos.receiver", self.log, self._secrets],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def url(self, client_id: str) -> str:
        """Return the URL of a client's webhook."""
        return f"http://127.0.0.1:{self.port}/{client_id}"

    def know(self, secrets: dict[str, str]) -> None:
        """Tell it the clients' secrets."""
        self._secrets.write_text(json.dumps(secrets))
        self.behave("know")

    def behave(self, how: str) -> None:
        """Answer like this from now on."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{how}\n")
        self._process.stdin.flush()

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield every message so far, each as one line of its log."""
        if self.log.exists():
            with self.log.open() as lines:
                for line in lines:
                    yield json.loads(line)

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


class _Notes:
    """Verifies messages and appends a line for each, before it is answered."""

    def __init__(self, log: Path, secrets: Path) -> None:
        self._log = log.open("a", buffering=1)
        self._secrets = secrets
        self._lock = threading.Lock()
        self.verifiers: dict[str, Webhook] = {}
        self.how = WELL

    def know(self) -> None:
        secrets = json.loads(self._secrets.read_text())
        self.verifiers = {client_id: Webhook(secret) for client_id, secret in secrets.items()}

    def reply(self, message: Message) -> Reply:
        return _REPLIES.get(self.how, Reply(delay=_DELAY))

    def note(self, message: Message, reply: Reply) -> None:
        client_id = message.path.partition("?")[0].strip("/")
        try:
            self.verifiers[client_id].verify(message.body, message.headers)
            verified = True
        except (WebhookVerificationError, KeyError, ValueError):
            verified = False
        body = message.json or {}
        line = json.dumps(
            {
                "at": time.time(),
                "client": client_id,
                "id": message.webhook_id,
                "verified": verified,
                "type": body.get("type"),
                "request": body.get("request_id"),
                "digest": hashlib.sha256(message.body).hexdigest(),
                "answer": 0 if reply.hang or reply.reset or reply.raw else reply.status,
            }
        )
        with self._lock:
            self._log.write(line + "\n")


def main(log: Path, secrets: Path) -> None:
    """Receive until standard input ends."""
    notes = _Notes(log, secrets)

    def start(port: int) -> Receiver:
        receiver = Receiver(behaviour=notes.reply, on_message=notes.note, port=port, keep=1)
        receiver.start()
        return receiver

    receiver: Receiver | None = start(0)
    assert receiver is not None
    port = receiver.port
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    for order in sys.stdin:
        how = order.strip()
        if how == "know":
            notes.know()
            continue
        before, notes.how = notes.how, how
        # What hangs is cut off; and only a closed port refuses.
        if receiver is not None and {before, how} & {HANG, REFUSE}:
            receiver.stop()
            receiver = None
        if receiver is None and how != REFUSE:
            receiver = start(port)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
