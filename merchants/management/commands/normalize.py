"""``manage.py normalize``: an offline bulk run, without the queue."""

import csv
import multiprocessing
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from django import db
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress

from merchants import catalogue
from merchants.answering import as_json
from merchants.batch_results import READ_COLUMNS, defused, read_cells
from merchants.events import found
from merchants.heuristic import Heuristic
from merchants.models import Merchant
from merchants.question import Transaction
from merchants.reading import read

ADDED = [
    "merchant",
    "merchant_id",
    "confidence",
    "method",
    "intermediary",
    "website",
    "category",
    *READ_COLUMNS,
]
# In front of an added column that the input has one of the name of.
CLASH = "pave_"
# Rows in one piece of a worker's work: large enough that handing it over costs nothing beside it.
PIECE = 500

Row = dict[str, str]

# Set before the workers are forked, which have no other way to share what it holds.
_heuristic: Heuristic
_merchants: dict[str, Merchant]


class Command(BaseCommand):
    help = "Name the merchant of every row of a CSV file, in several processes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "input",
            type=Path,
            help="CSV with a column description; also read: amount, currency, date, mcc, country, "
            "city.",
        )
        parser.add_argument("-o", "--output", type=Path, required=True, help="CSV to write.")
        parser.add_argument(
            "--workers",
            type=int,
            default=multiprocessing.cpu_count(),
            help="Processes; by default one for each core.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        source: Path = options["input"]
        target: Path = options["output"]
        if options["workers"] < 1:
            raise CommandError("--workers must be at least 1.")
        # Beside the output, and in its place once it is whole: the input may be the same file.
        unfinished = target.with_name(f"{target.name}.unfinished")
        try:
            with source.open(newline="", encoding="utf-8-sig") as lines:
                rows = csv.DictReader(lines)
                columns = list(rows.fieldnames or [])
                if "description" not in columns:
                    raise CommandError(f"{source} has no column description.")
                with unfinished.open("w", newline="", encoding="utf-8") as out:
                    added = [CLASH * (name in columns) + name for name in ADDED]
                    writer = csv.writer(out)
                    writer.writerow(columns + added)
                    count = self._run(rows, writer, options["workers"], source.stat().st_size)
            unfinished.replace(target)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise CommandError(f"{source}: {error}") from error
        finally:
            unfinished.unlink(missing_ok=True)
        self.stdout.write(f"{count:,} rows written to {target}.")

    def _run(self, rows: Iterable[Row], writer: Any, workers: int, size: int) -> int:
        """Write every row with its answer, in the order of the input; return how many."""
        count = 0
        # Read here and forked, so that the processes share the catalogue's memory.
        global _heuristic, _merchants
        _heuristic = catalogue.offline_heuristic()
        _merchants = catalogue.offline_merchants()
        db.connections.close_all()
        with (
            multiprocessing.get_context("fork").Pool(workers) as pool,
            Progress(console=Console(file=sys.stderr), transient=True) as progress,
        ):
            bar = progress.add_task("Normalizing", total=size)
            for piece in _bounded(pool, _pieces(rows), workers * 4):
                writer.writerows(piece)
                count += len(piece)
                # The file's size stands for its rows, which nobody has counted.
                progress.advance(bar, sum(len(",".join(map(str, row))) for row in piece))
        return count


def _bounded(pool: Any, pieces: Iterator[list[Row]], ahead: int) -> Iterator[list[list[Any]]]:
    """Yield finished pieces in order, with only so many ahead: memory does not grow with the file.

    ``Pool.imap`` would read the whole input at once.
    """
    waiting: list[Any] = []
    for piece in pieces:
        waiting.append(pool.apply_async(_answer_piece, (piece,)))
        if len(waiting) >= ahead:
            yield waiting.pop(0).get()
    for result in waiting:
        yield result.get()


def _pieces(rows: Iterable[Row]) -> Iterator[list[Row]]:
    piece: list[Row] = []
    for row in rows:
        piece.append(row)
        if len(piece) >= PIECE:
            yield piece
            piece = []
    if piece:
        yield piece


def _answer_piece(piece: list[Row]) -> list[list[Any]]:
    for row in piece:
        row.pop(None, None)  # type: ignore[call-overload] # cells that no column is named for
    return [[*row.values(), *_answer(_transaction(row))] for row in piece]


def _answer(transaction: Transaction) -> list[Any]:
    """Return the cells of ``ADDED``."""
    match = _heuristic.match(transaction)
    answer = as_json(match, _merchants.get(match.merchant_id or ""), 0)
    members = found(answer, read(transaction), transaction.country)
    merchant = members["merchant"]
    cells = [
        match.name,
        match.merchant_id,
        f"{match.confidence:g}",
        match.method,
        members["match"]["intermediary"],
        merchant["website"],
        (merchant["category"] or {}).get("detailed"),
        *read_cells(members),
    ]
    return [defused(cell) for cell in cells]


def _transaction(row: Row) -> Transaction:
    """Return a row's transaction; what cannot be read in an optional column was not given."""
    return Transaction(
        description=(row.get("description") or "").replace("\x00", ""),
        amount=_amount(row.get("amount")),
        currency=(row.get("currency") or "").strip().upper(),
        date=_date(row.get("date")),
        mcc=(row.get("mcc") or "").strip(),
        country=(row.get("country") or "").strip().upper(),
        city=(row.get("city") or "").strip(),
    )


def _amount(text: str | None) -> Decimal | None:
    try:
        return Decimal(text or "")
    except InvalidOperation:
        return None


def _date(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None
