"""``manage.py erase_client CLIENT_ID``: permanently erase a client with all its data."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from merchants.requests import erasure
from pave.clients.models import Client


class Command(BaseCommand):
    help = (
        "Erase a client with everything that it sent and that was derived from it: requests, "
        "batches, events, deliveries, webhooks, secrets, keys. Only a backup can undo it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("client_id")
        parser.add_argument("--yes", action="store_true", help="Do not ask for confirmation.")

    def handle(self, *args: Any, **options: Any) -> None:
        client_id = options["client_id"]
        client = Client.objects.filter(client_id=client_id).first()
        if client is None:
            raise CommandError(f"There is no client {client_id}.")
        counts = erasure.count(client=client)
        summary = ", ".join(f"{number:,} {name}" for name, number in counts.items())
        if not options["yes"]:
            try:
                answer = input(
                    f"This erases {client} with {summary}. Type the client id to go on: "
                )
            except EOFError:
                raise CommandError("Nothing was erased: nobody answers. Pass --yes.") from None
            if answer.strip() != client_id:
                raise CommandError("Nothing was erased.")
        columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            bars = {name: progress.add_task(name, total=number) for name, number in counts.items()}
            for name, erased in erasure.erase(client=client):
                progress.advance(bars[name], erased)
        self.stdout.write(f"Erased {client_id} with {summary}.")
