"""``manage.py import_merchants``: load or refresh the merchant catalogue."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from merchants.catalogue import importer
from merchants.catalogue.sources.name_suggestion_index import read_records
from merchants.catalogue.sources.shipped import load_shipped, load_supplement, merge
from pave.core.database import lock_limit


class Command(BaseCommand):
    help = (
        "Load or refresh the merchant catalogue: the one shipped with Pave, or a newer release "
        "of the npm package name-suggestion-index. Safe to repeat."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "source",
            nargs="?",
            type=Path,
            help="The package's tarball or its unpacked folder; by default the shipped catalogue.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        source: Path | None = options["source"]
        try:
            records = (
                load_shipped() if source is None else merge(load_supplement(), read_records(source))
            )
        except (OSError, ValueError) as error:
            raise CommandError(f"{source} cannot be read: {error}") from error
        try:
            result = importer.import_records(
                records, note=f"Imported {source.name if source else 'the shipped catalogue'}"
            )
        except lock_limit.Locked as error:
            raise CommandError(
                "Somebody keeps something locked that this needs; try again."
            ) from error
        self.stdout.write(
            f"{result.added:,} merchants added, {result.changed:,} changed, "
            f"{result.unchanged:,} left as they were."
        )
