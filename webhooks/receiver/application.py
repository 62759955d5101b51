"""A webhook receiver on loopback, used by `manage.py listen`, the demo and the tests.

It verifies with the `standardwebhooks` library, as a client would, and can play any kind of bad
endpoint. It needs neither Django nor a database.
"""

import itertools
import json
import ssl
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from standardwebhooks import Webhook, WebhookVerificationError

from webhooks.receiver.server import LoopbackServer, Reply

__all__ = ["Behaviour", "Message", "Receiver", "Reply", "always", "in_turn"]

# Ids kept for detecting duplicates; the oldest are dropped.
MAX_SEEN = 100_000


@dataclass(frozen=True, slots=True)
class Message:
    """One request as it came in, before it is answered.

    Attributes:
        headers: names in lower case.
        verified: None when the receiver has no secret to verify with.
        reason: why it is not verified; "" when it is, or when there is no secret.
        duplicate: whether this path has had this webhook-id before.
    """

    received_at: datetime
    path: str
    headers: dict[str, str]
    body: bytes
    verified: bool | None
    reason: str
    duplicate: bool

    @property
    def webhook_id(self) -> str | None:
        return self.headers.get("webhook-id")

    @property
    def timestamp(self) -> int | None:
        """The `webhook-timestamp` header, in seconds since 1970; None if it is no number."""
        text = self.headers.get("webhook-timestamp", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None

    @property
    def json(self) -> Any:
        """The body parsed, or None if it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


Behaviour = Callable[[Message], Reply]


def always(reply: Reply) -> Behaviour:
    """Answer everything the same way."""
    return lambda message: reply


def in_turn(*replies: Reply) -> Behaviour:
    """Answer with each in turn, and for ever with the last."""
    replies_in_turn = itertools.chain(replies, itertools.repeat(replies[-1]))
    lock = threading.Lock()

    def behaviour(message: Message) -> Reply:
        with lock:
            return next(replies_in_turn)

    return behaviour


class Receiver:
    """An HTTP/1.1 server in threads of its own; a context manager that starts and stops it.

    Args:
        secrets: with which to verify; one that fits is enough. None of them: nothing is verified.
        behaviour: how to answer each message; by default 200 at once.
        on_message: called with each message and its reply, before that is sent; from the thread of
            the connection.
        host: a loopback address, IPv4 or IPv6.
        port: 0 for any free one.
        keep: how many messages to keep in `messages`; None for all.
        tls: speak https with this context.
    """

    def __init__(
        self,
        *,
        secrets: Sequence[str] = (),
        behaviour: Behaviour | None = None,
        on_message: Callable[[Message, Reply], None] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        keep: int | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.behaviour = behaviour or always(Reply())
        self.messages: deque[Message] = deque(maxlen=keep)
        self.stopping = threading.Event()
        self._scheme = "http" if tls is None else "https"
        self._on_message = on_message
        self._verifiers = [Webhook(secret) for secret in secrets]
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._count = 0
        self._arrived = threading.Condition()
        self._server = LoopbackServer(
            host, port, handle=self._handle, stopping=self.stopping, tls=tls
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str = "/") -> str:
        host = str(self._server.server_address[0])
        return f"{self._scheme}://{f'[{host}]' if ':' in host else host}:{self.port}{path}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Take no more connections and end those that hang; repeated calls do nothing."""
        if not self.stopping.is_set():
            self.stopping.set()
            self._server.shutdown()
            self._server.close_connections()
            self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def wait_for(self, count: int, timeout: float) -> list[Message]:
        """The messages kept, once `count` have arrived since the start.

        Raises:
            TimeoutError: fewer came within `timeout` seconds.
        """
        with self._arrived:
            if not self._arrived.wait_for(lambda: self._count >= count, timeout):
                raise TimeoutError(f"{self._count} of {count} messages came within {timeout} s.")
            return list(self.messages)

    def _handle(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        """Verify and record one request, and choose its reply."""
        verified, reason = self._verify(headers, body)
        key = (path, headers.get("webhook-id", ""))
        with self._arrived:
            duplicate = bool(key[1]) and key in self._seen
            self._seen[key] = None
            if len(self._seen) > MAX_SEEN:
                self._seen.popitem(last=False)
            now = datetime.now(UTC)  # noqa: TID251 - a receiver knows no clock of Pave's
            message = Message(now, path, headers, body, verified, reason, duplicate)
            self.messages.append(message)
            self._count += 1
            self._arrived.notify_all()
        reply = self.behaviour(message)
        if self._on_message is not None:
            self._on_message(message, reply)
        return reply

    def _verify(self, headers: dict[str, str], body: bytes) -> tuple[bool | None, str]:
        if not self._verifiers:
            return None, ""
        reason = ""
        for verifier in self._verifiers:
            try:
                verifier.verify(body, headers, json_parse=False)
                return True, ""
            except WebhookVerificationError as error:
                reason = str(error)
            except ValueError:  # the library lets malformed base64 and text through as it comes
                reason = "Malformed signature or body"
        return False, reason
