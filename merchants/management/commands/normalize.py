"""``manage.py normalize``: an offline bulk run, without the queue.

Every cell of the input comes out as it was and where it was, whatever its columns are called and
however many a row has; what is added stands behind them.
"""

import csv
import io
import multiprocessing
import shutil
import sys
import tempfile
from argparse import ArgumentParser
from codecs import BOM_UTF8
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from django import db
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress

from merchants.api.batch_download import READ_COLUMNS, defused, read_cells
from merchants.catalogue import importer, rulesets
from merchants.matching.heuristic import Heuristic
from merchants.matching.reading import read
from merchants.matching.types import Transaction
from merchants.models import Merchant
from merchants.requests.events import found
from merchants.requests.resolutions.answers import as_json
from pave.core.card_masking import masked

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
# The columns that are read.
READ = ("description", "amount", "currency", "date", "mcc", "country", "city")
# In front of an added column that the input has one of the name of.
CLASH = "pave_"
# Rows in one piece of a worker's work: large enough that handing it over costs nothing beside it.
PIECE = 500

Row = list[str]

# Set before the workers are forked, which have no other way to share what it holds.
_heuristic: Heuristic
_merchants: dict[str, Merchant]
_shape: "_Shape"


@dataclass(frozen=True, slots=True)
class _Shape:
    """What one look through the input has shown.

    Args:
        header: Its first row.
        width: The cells of its longest row.
        rows: How many there are below the header, blank lines among them.
        marked: Whether it begins with a byte order mark.
    """

    header: Row
    width: int
    rows: int
    marked: bool

    def cell(self, row: Row, name: str) -> str:
        """Return a row's cell in the first column of that name; "" where there is none."""
        at = self.header.index(name) if name in self.header else len(row)
        return row[at] if at < len(row) else ""

    def padded(self, row: Row) -> Row:
        """Return a row with as many cells as the longest has."""
        return row + [""] * (self.width - len(row))


class Command(BaseCommand):
    help = (
        "Name the merchant of every row of a CSV file, in several processes. The output is the "
        "input, with every cell as it was, and the columns "
        f"{', '.join(ADDED)} behind. One of these whose name the input has already (in capitals "
        f"or not) is called {CLASH}NAME, and {CLASH}NAME_2 and so on if that is there too: so the "
        "command may be run on its own output. A row with more cells than the header has keeps "
        "them, in columns without a name."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "input",
            type=Path,
            help=f"CSV in UTF-8 with a column {READ[0]}; also read: {', '.join(READ[1:])}. Of "
            "several columns of one name the first is read.",
        )
        parser.add_argument(
            "-o",
            "--output",
            type=Path,
            required=True,
            help="CSV to write, once it is whole. It may be the input itself. Where it is a "
            "symbolic link, the file that it leads to is written.",
        )
        parser.add_argument(
            "--workers",
            type=int,
            default=multiprocessing.cpu_count(),
            help="Processes; by default one for each core.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        source: Path = options["input"]
        if options["workers"] < 1:
            raise CommandError("--workers must be at least 1.")
        try:
            target: Path = options["output"].resolve()
            if target.exists() and not target.is_file():
                raise CommandError(f"{target} is no regular file.")
            with source.open("rb") as given, _seekable(given) as content:
                count = self._rewrite(source, content, target, options["workers"])
        except (OSError, RuntimeError) as error:  # links in a circle are a RuntimeError
            raise CommandError(str(error)) from error
        self.stdout.write(f"{count:,} rows written to {options['output']}.")

    def _rewrite(self, source: Path, content: IO[bytes], target: Path, workers: int) -> int:
        """Write ``target``, in one step at the end: it may be the very file that is read."""
        global _shape
        unfinished = target.with_name(f"{target.name}.{uuid4().hex[:8]}.unfinished")
        try:
            _shape = _look_through(source, content)
            names = self._added(source)
            encoding = "utf-8-sig" if _shape.marked else "utf-8"
            with unfinished.open("x", newline="", encoding=encoding) as out:
                writer = csv.writer(out)
                writer.writerow([*_shape.padded(_shape.header), *names])
                count = self._run(_rows(source, content), writer, workers)
            if target.exists():
                shutil.copymode(target, unfinished)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        return count

    def _added(self, source: Path) -> list[str]:
        """Return what the added columns are called."""
        header = _shape.header
        if READ[0] not in header:
            raise CommandError(f"{source} has no column {READ[0]}.")
        for name in READ:
            if header.count(name) > 1:
                self.stderr.write(f"{source} has several columns {name}; the first is read.")
        taken = {name.strip().casefold() for name in header}
        return [_free_name(name, taken) for name in ADDED]

    def _run(self, rows: Iterator[Row], writer: Any, workers: int) -> int:
        """Write every row with its answer, in the order of the input; return how many."""
        count = 0
        next(rows)  # the header
        # Read here and forked, so that the processes share the catalogue's memory.
        global _heuristic, _merchants
        _heuristic = importer.offline_heuristic()
        _merchants = importer.offline_merchants()
        db.connections.close_all()
        with (
            multiprocessing.get_context("fork").Pool(workers) as pool,
            Progress(console=Console(file=sys.stderr), transient=True) as progress,
        ):
            bar = progress.add_task("Normalizing", total=_shape.rows)
            for piece in _bounded(pool, _pieces(rows), workers * 4):
                writer.writerows(piece)
                count += sum(map(bool, piece))
                progress.advance(bar, len(piece))
        return count


def _seekable(given: IO[bytes]) -> IO[bytes]:
    """Return what can be read twice: a pipe's content is copied."""
    if given.seekable():
        return given
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    shutil.copyfileobj(given, copy)
    return copy


def _look_through(source: Path, content: IO[bytes]) -> _Shape:
    """Read the whole input once: what is no CSV is refused before any work."""
    marked = content.seek(0) == 0 and content.read(len(BOM_UTF8)) == BOM_UTF8
    rows = _rows(source, content)
    header = next(rows, [])
    width, count = len(header), 0
    for row in rows:
        width, count = max(width, len(row)), count + 1
    return _Shape(header, width, count, marked)


def _rows(source: Path, content: IO[bytes]) -> Iterator[Row]:
    """Yield the rows of the input from its beginning, the header first.

    Strictly: a quotation mark at a wrong place would else be dropped, or take lines along.
    """
    content.seek(0)
    lines = io.TextIOWrapper(content, encoding="utf-8-sig", newline="")
    rows = csv.reader(lines, strict=True)
    line = 1
    try:
        for row in rows:
            line = rows.line_num + 1
            yield row
    except (UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{source}, in or after line {line}: {error}") from error
    finally:
        lines.detach()  # else the content would be closed with it


def _free_name(name: str, taken: Collection[str]) -> str:
    """Return what an added column is called beside those that are there."""
    wanted, number = name, 1
    while wanted in taken:
        wanted = f"{CLASH}{name}" if number == 1 else f"{CLASH}{name}_{number}"
        number += 1
    return wanted


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
    # A blank line stays one.
    return [row and [*_shape.padded(row), *_answer(_transaction(row))] for row in piece]


def _answer(transaction: Transaction) -> list[Any]:
    """Return the cells of ``ADDED``."""
    match = _heuristic.match(transaction)
    merchant_id = match.merchant_id or ""
    published = rulesets.merchants_of(_heuristic).get(merchant_id)
    answer = as_json(match, _merchants.get(merchant_id), 0, published)
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
    """Return a row's transaction as the API would take it, so with card numbers masked.

    What cannot be read in an optional column was not given.
    """
    given = {name: _shape.cell(row, name) for name in READ}
    return Transaction(
        description=masked(given["description"].replace("\x00", "")),
        amount=_amount(given["amount"]),
        currency=given["currency"].strip().upper(),
        date=_date(given["date"]),
        mcc=given["mcc"].strip(),
        country=given["country"].strip().upper(),
        city=masked(given["city"].strip()),
    )


def _amount(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
