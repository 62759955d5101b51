"""``manage.py demo``: see Pave do its job, on this machine and nothing else."""

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
    DemoFailed,
    Told,
    environment,
    restart_with,
    samples,
)
from webhooks.management.commands.listen import DEFAULT_PORT as RECEIVER_PORT

# Over and above the time that the heuristic burns.
RETRY_SECONDS = 60.0


class Command(BaseCommand):
    help = (
        "Run web server, cluster and a receiver on this machine, on SQLite. Posts sample "
        "transactions, prints the webhooks that come back, and ends; or goes on until Ctrl-C."
    )
    # They would read a database before it is there.
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
                    self._go_on(demo)
                else:
                    self._once(demo)
        except DemoFailed as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted before the end.") from None

    def _start(self, demo: Demo) -> None:
        self.console.print("Making the database and loading the catalogue …", style="dim")
        self.console.print(demo.prepare(), style="dim")
        demo.start()
        self.console.print(f"Web server on {demo.url}, cluster and receiver run.", style="dim")

    def _once(self, demo: Demo) -> None:
        """Post the samples, print what comes back, and sum up."""
        asked = samples()
        self.console.print(f"\nPosting {len(asked)} transactions of client {CLIENT_ID}.\n")
        posted = demo.post_all(asked)
        patience = RETRY_SECONDS + settings.PAVE_HEURISTIC_SECONDS * len(asked)
        told: dict[str, Told] = {}
        for arrived in demo.arrivals(until=time.monotonic() + patience):
            if arrived.request_id not in posted or arrived.request_id in told:
                continue
            told[arrived.request_id] = arrived
            self.console.print(_line(arrived))
            if len(told) == len(posted):
                break
        self._sum_up(demo, posted, told)

    def _sum_up(self, demo: Demo, posted: dict[str, dict[str, str]], told: dict[str, Told]) -> None:
        verified = sum(one.verified for one in told.values())
        answered = sum(one.body["type"] == "normalization.completed" for one in told.values())
        seconds = [one.seconds for one in told.values() if one.seconds is not None]
        self.console.print(
            f"\n{len(posted)} transactions asked, {len(told)} webhooks delivered, "
            f"{answered} with an answer, {verified} signatures verified."
        )
        if seconds:
            self.console.print(
                f"{demo.heuristic_runs()} runs of the heuristic; from post to webhook "
                f"{statistics.median(seconds):.2f} s in the median, {max(seconds):.2f} s at most."
            )
        for request_id in posted.keys() - told.keys():
            self.console.print(f"Missing: {posted[request_id]['description']}", style="red")
        if not len(posted) == len(told) == verified == answered:
            raise DemoFailed(f"Not every transaction came back as it should; see {demo.log}.")

    def _go_on(self, demo: Demo) -> None:
        """Say how to use what runs, and print webhooks until Ctrl-C."""
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
            for arrived in demo.arrivals():
                self.console.print(_line(arrived))
        except KeyboardInterrupt:
            self.console.print("Stopping; what runs may end first. Ctrl-C again cuts it short.")


def _line(told: Told) -> Text:
    """Return one webhook as a line: what was asked, what came back, how surely, how fast."""
    data = told.body.get("data") or {}
    merchant = data.get("merchant") or {}
    match = data.get("match") or {}
    description = (data.get("transaction") or {}).get("description", "")
    confidence = match.get("confidence")
    return Text.assemble(
        (
            "✓ verified  " if told.verified else "✗ NOT verified  ",
            "green" if told.verified else "red",
        ),
        f"{_fit(description, 42)} → ",
        (_fit(merchant.get("name") or data.get("error") or "(no answer)", 28), "bold"),
        f" {match.get('method') or told.body.get('type', ''):<10}",
        "" if confidence is None else f"{confidence:.2f}",
        "" if told.seconds is None else f"  {told.seconds:5.2f} s",
        no_wrap=True,
        overflow="ellipsis",
    )


def _fit(text: str, width: int) -> str:
    """Return text in exactly so many columns, without what could drive the terminal."""
    shown = "".join(letter if letter.isprintable() else "�" for letter in text)
    return f"{shown[: width - 1]}…" if len(shown) > width else shown.ljust(width)
