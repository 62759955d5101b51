"""`manage.py listen`: a local receiver, for developing webhooks.

It needs neither a database nor Pave's settings.
"""

import json
import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console, Group
from rich.json import JSON
from rich.padding import Padding
from rich.text import Text

from webhooks.receiver.application import Message, Receiver, Reply, always

DEFAULT_PORT = 9899


class Command(BaseCommand):
    """Prints each webhook as it arrives, until Ctrl-C or SIGTERM."""

    help = (
        "Receive webhooks on 127.0.0.1, verify and print them. "
        "Can play a failing (--status 500) or a slow (--delay 20) endpoint."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--port", type=int, default=DEFAULT_PORT, help="port to listen on; 0 for any free one"
        )
        parser.add_argument(
            "--secret",
            action="append",
            default=[],
            metavar="whsec_…",
            help="signing secret to verify with; may be given several times",
        )
        parser.add_argument("--status", type=int, default=200, help="HTTP status to answer with")
        parser.add_argument(
            "--delay", type=float, default=0, metavar="S", help="seconds to wait before answering"
        )
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object per line and nothing else"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 200 <= options["status"] <= 599:
            raise CommandError("--status must be from 200 to 599.")
        if options["delay"] < 0:
            raise CommandError("--delay must not be negative.")
        printer = _JSONLines(self) if options["json"] else _Terminal()
        try:
            receiver = Receiver(
                secrets=options["secret"],
                behaviour=always(Reply(status=options["status"], delay=options["delay"])),
                on_message=printer.message,
                port=options["port"],
                keep=0,
            )
        except (OSError, OverflowError) as error:
            raise CommandError(f"Cannot listen on port {options['port']}: {error}") from error
        except Exception as error:
            # The library's errors differ by what is wrong with the secret; none may show it.
            raise CommandError("--secret must be whsec_ followed by base64.") from error
        # Taken by a wait for them, not by handlers: one that came between two steps of a wait for
        # an event would be lost, or lock up. The receiver's threads must not take them either.
        signals = {signal.SIGINT, signal.SIGTERM}
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        with receiver:
            printer.ready(receiver, verifying=bool(options["secret"]))
            signal.sigwait(signals)
            # A second one ends what does not end.
            for number in signals:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        printer.done()


class _JSONLines:
    """One object per line on stdout, for programs."""

    def __init__(self, command: BaseCommand) -> None:
        self._command = command
        self._lock = threading.Lock()

    def ready(self, receiver: Receiver, *, verifying: bool) -> None:
        self._command.stderr.write(f"Listening on {receiver.url()}", ending="\n")

    def message(self, message: Message, reply: Reply) -> None:
        body = message.json
        line = json.dumps(
            {
                "received_at": message.received_at.isoformat(),
                "path": message.path,
                "webhook_id": message.webhook_id,
                "timestamp": message.timestamp,
                "verified": message.verified,
                "reason": message.reason,
                "duplicate": message.duplicate,
                "status_answered": reply.status,
                "type": _type(body),
                "body": message.body.decode("utf-8", "replace") if body is None else body,
            }
        )
        with self._lock:
            self._command.stdout.write(line)
            self._command.stdout.flush()

    def done(self) -> None:
        """Print nothing: each line says everything."""


class _Terminal:
    """For people: a heading per webhook, then its body in colour."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._count = 0
        self._bad = 0
        self._duplicates = 0

    def ready(self, receiver: Receiver, *, verifying: bool) -> None:
        self._console.print(Text.assemble("Listening on ", (receiver.url(), "bold cyan")))
        self._console.print(
            "Signatures are verified."
            if verifying
            else "Signatures are not verified: no --secret was given.",
            style="dim" if verifying else "yellow",
        )
        self._console.print("Any path will do. Ctrl-C ends it.", style="dim")

    def message(self, message: Message, reply: Reply) -> None:
        body = message.json
        heading = Text.assemble(
            (f"{message.received_at.astimezone():%H:%M:%S} ", "dim"),
            (_visible(_type(body) or "(no type)"), "bold"),
            *_verdict(message),
            *((("  duplicate", "magenta"),) if message.duplicate else ()),
            (f"  answered {reply.status}", "green" if reply.status < 300 else "red"),
        )
        details = Text.assemble(
            _visible(message.path),
            f"  id {_visible(message.webhook_id or '-')}",
            f"  {_age(message)}",
            style="dim",
        )
        merchant = _merchant(body)
        body_text = (
            Text(_visible(message.body.decode("utf-8", "replace")))
            if body is None
            else JSON.from_data(body, ensure_ascii=False)
        )
        block = Group(
            heading,
            Padding(details, (0, 0, 0, 9), expand=False),
            *(
                [Padding(Text(f"merchant: {merchant}", "cyan"), (0, 0, 0, 9), expand=False)]
                if merchant
                else []
            ),
            Padding(body_text, (0, 0, 1, 9), expand=False),
        )
        # One call, which holds the console's own lock: blocks of two connections never mix.
        self._console.print(block)
        self._count += 1
        self._bad += message.verified is False
        self._duplicates += message.duplicate

    def done(self) -> None:
        self._console.print(
            f"\n{self._count} received, {self._bad} not verified, {self._duplicates} duplicates.",
            style="dim",
        )


def _verdict(message: Message) -> list[tuple[str, str]]:
    if message.verified is None:
        return [("  not checked", "yellow")]
    if message.verified:
        return [("  ✓ verified", "green")]
    return [(f"  ✗ not verified: {_visible(message.reason)}", "bold red")]


def _age(message: Message) -> str:
    if message.timestamp is None:
        return "no timestamp"
    age = message.received_at.timestamp() - message.timestamp
    return f"signed {age:.0f} s ago" if age >= 0 else f"signed {-age:.0f} s in the future"


def _type(body: Any) -> str | None:
    kind = body.get("type") if isinstance(body, dict) else None
    return kind if isinstance(kind, str) else None


def _merchant(body: Any) -> str | None:
    """The name in the seed's field, at the top of a normalization's body."""
    merchant = body.get("merchant") if isinstance(body, dict) else None
    name = merchant.get("name") if isinstance(merchant, dict) else None
    return _visible(name) if isinstance(name, str) else None


def _visible(text: str) -> str:
    """The text without what could drive the terminal."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)
