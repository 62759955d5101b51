"""``manage.py prune``: delete rows past their retention."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pave.operations.retention import expiries


class Command(BaseCommand):
    help = (
        "Remove requests, events, deliveries and cached answers that are final and older than "
        "PAVE_RETENTION_DAYS, in small batches. A running cluster does the same once a day."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="Only count the rows that would be examined."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description:<18}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        lines = []
        with Progress(*columns, console=console, transient=True) as progress:
            for expiry in expiries():
                total = expiry.count()
                if options["dry_run"]:
                    lines.append(f"{expiry.name}: {total:,} are old enough to be examined")
                    continue
                bar = progress.add_task(expiry.name, total=total)
                removed = 0
                for examined, gone in expiry.walk():
                    removed += gone
                    progress.advance(bar, examined)
                lines.append(f"{expiry.name}: {removed:,} removed, {total - removed:,} stay")
        self.stdout.write(f"Older than {settings.PAVE_RETENTION_DAYS} days:")
        for line in lines:
            self.stdout.write(f"  {line}")
