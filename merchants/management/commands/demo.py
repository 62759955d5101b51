"""``manage.py demo``: run Pave on this machine alone, with sample transactions."""

import signal
import statistics
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.text import Text

from merchants.management.demo_stack import (
    CLIENT_ID,
    Demo,
    DemoError,
    ReceivedWebhook,
    environment,
    restart_with,
    samples,
)
from webhooks.management.commands.listen import DEFAULT_PORT as RECEIVER_PORT

# In addition to the heuristic's own time.
RETRY_SECONDS = 60.0


class Command(BaseCommand):
    help = (
        "Run web server, cluster and a receiver on this machine, on SQLite. Posts sample "
        "transactions, prints the webhooks that come back, and ends; or goes on until Ctrl-C."
    )
    # Checks would read a database that does not exist yet.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=9898, help="The web server's port.")
        parser.add_argument(
            "--keep-running",
            action="store_true",
            help="Post nothing; keep the data in var/pave.sqlite3, and run until Ctrl-C.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        keep = options["keep_running"]
        name = "pave" if keep else "demo"
        database = settings.VAR_DIR / f"{name}.sqlite3"
        restart_with(environment(database))
        settings.VAR_DIR.mkdir(exist_ok=True)
        self.console = Console(highlight=False)
        if not self.console.is_terminal:
            self.console.width = 120
        for signum in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, signal.default_int_handler)
        try:
            with Demo(
                port=options["port"],
                receiver_port=RECEIVER_PORT if keep else 0,
                log=settings.VAR_DIR / f"{name}.log",
            ) as demo:
                demo.log.unlink(missing_ok=True)
                if not keep:
                    for file in database.parent.glob(f"{database.name}*"):
                        file.unlink()
                self._start(demo)
                if keep:
                    self._run_until_interrupted(demo)
                else:
                    self._run_once(demo)
        except DemoError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted before the end.") from None

    def _start(self, demo: Demo) -> None:
        self.console.print("Making the database and loading the catalogue …", style="dim")
        self.console.print(demo.prepare(), style="dim")
        demo.start()
        self.console.print(f"Web server on {demo.url}, cluster and receiver run.", style="dim")

    def _run_once(self, demo: Demo) -> None:
        """Post the samples, print the webhooks, and sum up."""
        transactions = samples()
        self.console.print(f"\nPosting {len(transactions)} transactions of client {CLIENT_ID}.\n")
        posted = demo.post_all(transactions)
        timeout = RETRY_SECONDS + settings.PAVE_HEURISTIC_SECONDS * len(transactions)
        received: dict[str, ReceivedWebhook] = {}
        for webhook in demo.arrivals(until=time.monotonic() + timeout):
            if webhook.request_id not in posted or webhook.request_id in received:
                continue
            received[webhook.request_id] = webhook
            self.console.print(_line(webhook))
            if len(received) == len(posted):
                break
        self._sum_up(demo, posted, received)

    def _sum_up(
        self, demo: Demo, posted: dict[str, dict[str, str]], received: dict[str, ReceivedWebhook]
    ) -> None:
        verified = sum(webhook.verified for webhook in received.values())
        answered = sum(
            webhook.body["type"] == "normalization.completed" for webhook in received.values()
        )
        seconds = [webhook.seconds for webhook in received.values() if webhook.seconds is not None]
        self.console.print(
            f"\n{len(posted)} transactions posted, {len(received)} webhooks delivered, "
            f"{answered} with an answer, {verified} signatures verified."
        )
        if seconds:
            self.console.print(
                f"{demo.heuristic_runs()} runs of the heuristic; from post to webhook "
                f"{statistics.median(seconds):.2f} s in the median, {max(seconds):.2f} s at most."
            )
        for request_id in posted.keys() - received.keys():
            self.console.print(f"Missing: {posted[request_id]['description']}", style="red")
        if not len(posted) == len(received) == verified == answered:
            raise DemoError(f"Not every transaction was answered and verified; see {demo.log}.")

    def _run_until_interrupted(self, demo: Demo) -> None:
        """Print how to use the demo, then webhooks until Ctrl-C."""
        user, password = demo.make_staff()
        self.console.print(
            f"""
Admin      {demo.url}/admin/
Login      {user}  password  {password}
Client     {CLIENT_ID}
API key    {demo.api_key}

Try:

curl {demo.url}/normalize_merchant \\
  -H 'Authorization: Api-Key {demo.api_key}' \\
  -H 'Content-Type: application/json' \\
  -d '{{"date": "2021-10-03", "description": "NETFLIX.COM", "amount": "12.99"}}'

Webhooks are shown here as they arrive. Ctrl-C stops everything.
""",
            soft_wrap=True,
        )
        try:
            for webhook in demo.arrivals():
                self.console.print(_line(webhook))
        except KeyboardInterrupt:
            self.console.print("Stopping when running work has ended. Ctrl-C again stops at once.")


def _line(webhook: ReceivedWebhook) -> Text:
    """Return a webhook as a line: description, answer, confidence, duration."""
    data = webhook.body.get("data") or {}
    merchant = data.get("merchant") or {}
    match = data.get("match") or {}
    description = (data.get("transaction") or {}).get("description", "")
    confidence = match.get("confidence")
    return Text.assemble(
        (
            "✓ verified  " if webhook.verified else "✗ NOT verified  ",
            "green" if webhook.verified else "red",
        ),
        f"{_fit(description, 42)} → ",
        (_fit(merchant.get("name") or data.get("error") or "(no answer)", 28), "bold"),
        f" {match.get('method') or webhook.body.get('type', ''):<10}",
        "" if confidence is None else f"{confidence:.2f}",
        "" if webhook.seconds is None else f"  {webhook.seconds:5.2f} s",
        no_wrap=True,
        overflow="ellipsis",
    )


def _fit(text: str, width: int) -> str:
    """Return text in exactly ``width`` columns, without control characters."""
    shown = "".join(letter if letter.isprintable() else "�" for letter in text)
    return f"{shown[: width - 1]}…" if len(shown) > width else shown.ljust(width)
