"""``manage.py normalize``: an offline bulk run, without the queue.

Every cell of the input stays unchanged and in place, whatever the names and number of columns; the
added columns follow.
"""

import csv
import io
import multiprocessing
import shutil
import sys
import tempfile
from argparse import ArgumentParser
from codecs import BOM_UTF8
from collections import deque
from collections.abc import Collection, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
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
from merchants.matching.types import TRANSACTION_FIELDS, Transaction
from merchants.models import Merchant
from merchants.requests.events import found
from merchants.requests.resolutions.answers import as_json
from pave.core.card_numbers.masking import without_card_numbers

ADDED_COLUMNS = [
    "merchant",
    "merchant_id",
    "confidence",
    "method",
    "intermediary",
    "website",
    "category",
    *READ_COLUMNS,
]
# Columns of the input that are read.
INPUT_COLUMNS = TRANSACTION_FIELDS
# Prefix of an added column whose name the input already has.
CLASH_PREFIX = "pave_"
# Rows per chunk of work: enough that passing it between processes costs little.
CHUNK_ROWS = 500

Row = list[str]

# Set before the workers are forked, so that they share this memory.
_heuristic: Heuristic
_merchants: dict[str, Merchant]
_shape: "_InputShape"


@dataclass(frozen=True, slots=True)
class _InputShape:
    """The shape of the input, from a first pass.

    Args:
        header: Its first row.
        names: What the columns are called, by case and blanks as the API takes them.
        width: The cells of its longest row.
        rows: How many follow the header, blank lines included.
        has_bom: Whether it begins with a byte order mark.
    """

    header: Row
    names: Row
    width: int
    rows: int
    has_bom: bool

    def cell(self, row: Row, name: str) -> str:
        """Return a row's cell in the first column of that name; "" where there is none."""
        index = self.names.index(name) if name in self.names else len(row)
        return row[index] if index < len(row) else ""

    def pad(self, row: Row) -> Row:
        """Return a row with as many cells as the longest."""
        return row + [""] * (self.width - len(row))


class Command(BaseCommand):
    help = (
        "Name the merchant of every row of a CSV file, in several processes. The output is the "
        "input, with every cell as it was, and the columns "
        f"{', '.join(ADDED_COLUMNS)} at the end. One whose name the input has already (in "
        f"capitals or not) is called {CLASH_PREFIX}NAME, and {CLASH_PREFIX}NAME_2 and so on if "
        "that is there too: so the command may be run on its own output. A row with more cells "
        "than the header has keeps them, in columns without a name."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "input",
            type=Path,
            help=f"CSV in UTF-8 with a column {INPUT_COLUMNS[0]}; also read: "
            f"{', '.join(INPUT_COLUMNS[1:])}. Of several columns with one name the first is read.",
        )
        parser.add_argument(
            "-o",
            "--output",
            type=Path,
            required=True,
            help="CSV to write, in one step at the end. It may be the input itself. If it is a "
            "symbolic link, its target is written.",
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
                raise CommandError(f"{target} is not a regular file.")
            with source.open("rb") as stream, _seekable(stream) as content:
                count = self._rewrite(source, content, target, options["workers"])
        except (OSError, RuntimeError) as error:  # links in a circle are a RuntimeError
            raise CommandError(str(error)) from error
        self.stdout.write(f"{count:,} rows written to {options['output']}.")

    def _rewrite(self, source: Path, content: IO[bytes], target: Path, workers: int) -> int:
        """Write ``target`` in one step at the end: it may be the input itself."""
        global _shape
        unfinished = target.with_name(f"{target.name}.{uuid4().hex[:8]}.unfinished")
        try:
            _shape = _scan_input(source, content)
            names = self._added_names(source)
            encoding = "utf-8-sig" if _shape.has_bom else "utf-8"
            with (
                unfinished.open("x", newline="", encoding=encoding) as out,
                closing(_rows(source, content)) as rows,
            ):
                writer = csv.writer(out)
                writer.writerow([*_shape.pad(_shape.header), *names])
                count = self._write_answers(rows, writer, workers)
            if target.exists():
                shutil.copymode(target, unfinished)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        return count

    def _added_names(self, source: Path) -> list[str]:
        """Return the names of the added columns."""
        if INPUT_COLUMNS[0] not in _shape.names:
            raise CommandError(f"{source} has no column {INPUT_COLUMNS[0]}.")
        for name in INPUT_COLUMNS:
            if _shape.names.count(name) > 1:
                self.stderr.write(f"{source} has several columns {name}; the first is read.")
        used_names = {name.strip().casefold() for name in _shape.header}
        added = [_free_name(name, used_names) for name in ADDED_COLUMNS]
        for name, free in zip(ADDED_COLUMNS, added, strict=True):
            if free != name:
                self.stderr.write(f"{source} has a column {name}; the added one is {free}.")
        return added

    def _write_answers(self, rows: Iterator[Row], writer: Any, workers: int) -> int:
        """Write every row with its answer, in order; return the number of rows."""
        next(rows)  # the header
        # Loaded before the fork, so that the processes share the catalogue's memory.
        global _heuristic, _merchants
        _heuristic = importer.offline_heuristic()
        _merchants = importer.offline_merchants()
        db.connections.close_all()
        # Unlike ``multiprocessing.Pool``, it says so if a process is killed; else one would wait.
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(workers, mp_context=fork) as pool:
            pool.submit(int)  # fork now: ``Progress`` starts a thread
            return self._write_chunks(_answered_chunks(pool, _chunks(rows), workers * 4), writer)

    def _write_chunks(self, chunks: Iterator[list[list[Any]]], writer: Any) -> int:
        count = 0
        with Progress(console=Console(file=sys.stderr), transient=True) as progress:
            bar = progress.add_task("Normalizing", total=_shape.rows)
            for chunk in chunks:
                writer.writerows(chunk)
                count += sum(map(bool, chunk))
                progress.advance(bar, len(chunk))
        return count


def _seekable(stream: IO[bytes]) -> IO[bytes]:
    """Return a seekable stream: a pipe's content is copied."""
    if stream.seekable():
        return stream
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    shutil.copyfileobj(stream, copy)
    return copy


def _scan_input(source: Path, content: IO[bytes]) -> _InputShape:
    """Read the whole input once: invalid CSV is refused before any work."""
    has_bom = content.seek(0) == 0 and content.read(len(BOM_UTF8)) == BOM_UTF8
    rows = _rows(source, content)
    header = next(rows, [])
    width, count = len(header), 0
    for row in rows:
        width, count = max(width, len(row)), count + 1
    names = [name.strip().lower() for name in header]
    return _InputShape(header, names, width, count, has_bom)


def _rows(source: Path, content: IO[bytes]) -> Generator[Row]:
    """Yield the rows of the input from its beginning, the header first.

    Strict, since a misplaced quotation mark would otherwise be dropped or swallow lines.
    """
    content.seek(0)
    lines = io.TextIOWrapper(content, encoding="utf-8-sig", newline="")
    rows = csv.reader(lines, strict=True)
    line = 1
    try:
        for row in rows:
            line = rows.line_num + 1
            yield row
    except csv.Error as error:
        raise CommandError(f"{source}, in or after line {line}: {error}") from error
    except UnicodeDecodeError as error:
        line = _undecodable_line(content)
        raise CommandError(f"{source}, line {line}: not UTF-8, {error.reason}") from error
    finally:
        lines.detach()  # otherwise closing it would close the content


def _undecodable_line(content: IO[bytes]) -> int:
    """Return the number of the first line that is not UTF-8: the text was read ahead."""
    content.seek(0)
    for number, line in enumerate(content, 1):
        try:
            line.decode()
        except UnicodeDecodeError:
            return number
    return 0


def _free_name(name: str, used_names: Collection[str]) -> str:
    """Return a name for an added column that the input does not have."""
    candidate, number = name, 1
    while candidate in used_names:
        candidate = f"{CLASH_PREFIX}{name}" if number == 1 else f"{CLASH_PREFIX}{name}_{number}"
        number += 1
    return candidate


def _answered_chunks(
    pool: Executor, chunks: Iterator[list[Row]], max_pending: int
) -> Iterator[list[list[Any]]]:
    """Yield answered chunks in order, at most ``max_pending`` ahead, so that memory stays bounded.

    ``Executor.map`` would read the whole input at once.
    """
    pending: deque[Future[list[list[Any]]]] = deque()
    for chunk in chunks:
        pending.append(pool.submit(_answer_chunk, chunk))
        if len(pending) >= max_pending:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) >= CHUNK_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _answer_chunk(chunk: list[Row]) -> list[list[Any]]:
    # A blank line stays blank.
    return [row and [*_shape.pad(row), *_answer(_transaction(row))] for row in chunk]


def _answer(transaction: Transaction) -> list[Any]:
    """Return the cells of ``ADDED_COLUMNS``."""
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
    """Return a row's transaction as the API would accept it, with card numbers masked.

    An invalid cell in an optional column counts as missing.
    """
    cells = {name: _shape.cell(row, name).strip() for name in INPUT_COLUMNS}
    cells["description"] = _shape.cell(row, "description").replace("\x00", "")
    return Transaction.from_json(without_card_numbers(cells))
