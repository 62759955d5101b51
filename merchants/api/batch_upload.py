"""The body of a batch, read as a stream: JSON, one JSON object a line, or CSV.

A malformed body is refused as a whole (``Malformed``). An invalid row is reported, and the other
rows are accepted.

JSON is read by the standard library's decoder, value by value. ijson's fast backend (3.6.0) loses a
number's own digits, turns lone surrogates into "?", does not say where an error is, takes memory
by the square of the depth, and a number of 5,000 digits ends the process.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import IO, Any

from merchants.api.serializers import TransactionSerializer
from pave.api.body_parsers import MAX_DEPTH, MAX_VALUES, Number, has_too_many_values, is_too_deep

# Longest text of one row. The fields of a row have at most 10,000 characters; a character outside
# the first plane takes twelve as two \u escapes.
MAX_ROW_CHARACTERS = 192 * 1024
# A column of this name holds all of a transaction's metadata, as in the results of a batch; one
# with this prefix holds one pair.
_PAIRS = "metadata"
_METADATA = f"{_PAIRS}."
_CHUNK_CHARACTERS = 64 * 1024
# How much of a value is looked at first, and how much more each time: so one with very many values
# is refused before most of them are read.
_FIRST_CHARACTERS = 4 * 1024
_MORE_CHARACTERS = 16 * 1024
_SPACE = " \t\n\r"
_COLUMNS = {*TransactionSerializer().get_fields(), "client_id"}


class Malformed(Exception):
    """The body is malformed; the message says where.

    Args:
        detail: A sentence for the client.
        pointer: The member at fault, where it is one.
    """

    def __init__(self, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.pointer = pointer


class BadRow(Exception):
    """A row that cannot be read; those around it can."""


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON.")


_DECODER = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=_no_constant)
# A line (None in JSON), and the row on it or why it is invalid.
Read = tuple[int | None, Any]


def read_ndjson(body: IO[bytes]) -> Iterator[Read]:
    """Read one JSON object from each line; empty lines are skipped."""
    for number, line in enumerate(_lines(body), start=1):
        text = line.strip(_SPACE)
        if not text:
            continue
        if has_too_many_values(text):
            yield number, BadRow(f"Has more than {MAX_VALUES:,} values.")
            continue
        if is_too_deep(text):
            yield number, BadRow(f"Is nested over {MAX_DEPTH} levels deep.")
            continue
        try:
            yield number, _DECODER.decode(text)
        except json.JSONDecodeError as error:
            yield number, BadRow(f"Is not JSON: {error.msg} at column {error.colno}.")
        except ValueError as error:
            yield number, BadRow(f"Is not JSON: {error}")


def read_csv(body: IO[bytes]) -> Iterator[Read]:
    """Read one row from each record of a CSV file, whose first line names its columns.

    Columns that are no field of a transaction are ignored, as are empty cells.
    """
    lines = _RecordLines(body)
    reader = csv.reader(lines, strict=True)
    names = _header(reader)
    line = reader.line_num + 1
    while True:
        lines.begin_record()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise Malformed(f"Line {line} is not CSV: {error}.") from error
        begun, line = line, reader.line_num + 1
        if not cells:
            continue
        if len(cells) != len(names):
            yield begun, BadRow(f"Has {len(cells)} cells, and the header has {len(names)}.")
        else:
            yield begun, _row(names, cells)


def _row(names: list[str], cells: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, cell in zip(names, cells, strict=True):
        if name.startswith(_METADATA) and cell:
            row.setdefault(_PAIRS, {})[name.removeprefix(_METADATA)] = cell
        elif name == _PAIRS and cell:
            row[name] = _pairs(cell)
        elif name and cell:
            row[name] = cell
    return row


def _pairs(cell: str) -> Any:
    """Return the parsed JSON of a cell, or the cell itself, which validation then refuses."""
    if has_too_many_values(cell) or is_too_deep(cell):
        return cell
    try:
        return _DECODER.decode(cell.strip(_SPACE))
    except ValueError:
        return cell


def read_json(body: IO[bytes], take: Callable[[str, Any], None]) -> Iterator[Read]:
    """Read the elements of ``transactions`` in a JSON object.

    Args:
        body: The JSON.
        take: Called with each other member of the object, in order.
    """
    text = _Text(body)
    text.expect("{", "an object")
    seen = False
    if not text.taken("}"):
        while True:
            name = text.value()
            if not isinstance(name, str) or isinstance(name, Number):
                raise Malformed(f"The body is not JSON: a name is expected {text.place()}.")
            text.expect(":", "a colon")
            if name == "transactions":
                if seen:
                    raise Malformed("Is there twice.", "/transactions")
                seen = True
                yield from _elements(text)
            else:
                take(name, text.value())
            if text.taken("}"):
                break
            text.expect(",", "a comma or }")
    text.end()
    if not seen:
        raise Malformed("This field is required.", "/transactions")


def _elements(text: "_Text") -> Iterator[Read]:
    if not text.taken("["):
        raise Malformed("Must be a list of transactions.", "/transactions")
    if text.taken("]"):
        return
    while True:
        yield None, text.value()
        if text.taken("]"):
            return
        text.expect(",", "a comma or ]")


def _header(reader: Any) -> list[str]:
    """Return the field of each column, "" for a column that is none.

    Raises:
        Malformed: There is no description, or a field or a pair of metadata has two columns.
    """
    try:
        cells: list[str] = next(reader, [])
    except csv.Error as error:
        raise Malformed(f"Line 1 is not CSV: {error}.") from error
    names = [cell.strip().lower() for cell in cells]
    if "description" not in names:
        raise Malformed(
            "The first line must name the columns, and one of them must be description."
        )
    fields = [
        _METADATA + cell.strip()[len(_METADATA) :]  # the key keeps its case
        if name.startswith(_METADATA)
        else (name if name in _COLUMNS else "")
        for name, cell in zip(names, cells, strict=True)
    ]
    for name, count in Counter(filter(None, fields)).items():
        if count > 1:
            raise Malformed(f"There are two columns {name[:100]}.")
    if _PAIRS in fields and any(name.startswith(_METADATA) for name in fields):
        raise Malformed(f"There are a column {_PAIRS} and a column {_METADATA}NAME: use one kind.")
    return fields


class _RecordLines:
    """The lines of a CSV file, for its reader; a record, which may have several, is no longer than
    one may be.
    """

    def __init__(self, body: IO[bytes]) -> None:
        self._lines = _lines(body, newline="")
        self._taken = 0
        self._first = 1
        self._number = 0

    def begin_record(self) -> None:
        """Let the next line be the first of a record."""
        self._taken = 0
        self._first = self._number + 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._number += 1
        self._taken += len(line)
        if self._taken > MAX_ROW_CHARACTERS:
            raise Malformed(
                f"The record that begins on line {self._first} is longer than "
                f"{MAX_ROW_CHARACTERS:,} characters."
            )
        return line


def _lines(body: IO[bytes], newline: str | None = "\n") -> Iterator[str]:
    """Yield lines of text, none of them over ``MAX_ROW_CHARACTERS``.

    Raises:
        Malformed: The body is not UTF-8, or a line is too long.
    """
    text = io.TextIOWrapper(body, encoding="utf-8-sig", newline=newline)
    number = 0
    try:
        while line := text.readline(MAX_ROW_CHARACTERS):
            number += 1
            if len(line) == MAX_ROW_CHARACTERS and not line.endswith("\n"):
                raise Malformed(f"Line {number} is longer than {MAX_ROW_CHARACTERS:,} characters.")
            yield line
    except UnicodeDecodeError as error:
        raise Malformed(f"The body is not UTF-8, at or after line {number + 1}.") from error


def _is_cut_off(error: json.JSONDecodeError, text: str) -> bool:
    """Return whether more text may mend the error."""
    return error.msg.startswith("Unterminated") or error.pos > len(text) - 16


class _Text:
    """JSON text in chunks, read value by value."""

    def __init__(self, body: IO[bytes]) -> None:
        self._source = io.TextIOWrapper(body, encoding="utf-8-sig", newline="")
        self._buffer = ""
        self._at = 0
        self._before = 0  # characters that are no longer in the buffer
        self._ended = False

    def expect(self, character: str, what: str) -> None:
        """Step over ``character``, which must come next."""
        if not self.taken(character):
            raise Malformed(
                f"The body is not JSON as described: {what} is expected {self.place()}."
            )

    def taken(self, character: str) -> bool:
        """Step over white space, and over ``character`` if it comes next; return whether it did."""
        if self._next() != character:
            return False
        self._at += 1
        return True

    def value(self) -> Any:
        """Read one value and what marks its end."""
        self._next()
        size = _FIRST_CHARACTERS
        while True:
            text = self._buffer[self._at : self._at + size]
            nothing_follows = self._ended and self._at + size >= len(self._buffer)
            if is_too_deep(text):
                raise Malformed(f"The body is nested over {MAX_DEPTH} levels deep {self.place()}.")
            try:
                value, end = _DECODER.raw_decode(text)
            except json.JSONDecodeError as error:
                if nothing_follows or not _is_cut_off(error, text):
                    problem = f"{error.msg} {self.place(self._at + error.pos)}"
                    raise Malformed(f"The body is not JSON: {problem}.") from error
            except ValueError as error:
                raise Malformed(f"The body is not JSON: {error}") from error
            else:
                # A number may continue after what was looked at: 1 with .5 or e+5.
                rest = len(text) - end
                if rest > 2 or (rest and not isinstance(value, Number)) or nothing_follows:
                    self._refuse_too_many(text[:end])
                    self._at += end
                    return value
            self._refuse_too_many(text)  # all of it is one value
            if len(text) > MAX_ROW_CHARACTERS:
                raise Malformed(
                    f"The body is not JSON, or has a value of over {MAX_ROW_CHARACTERS:,} "
                    f"characters, {self.place()}."
                )
            size = min(size + _MORE_CHARACTERS, MAX_ROW_CHARACTERS + 1)
            if len(self._buffer) - self._at < size:
                self._more()

    def _refuse_too_many(self, text: str) -> None:
        if len(text) > MAX_VALUES and has_too_many_values(text):
            raise Malformed(
                f"The body has a value with more than {MAX_VALUES:,} values, {self.place()}."
            )

    def end(self) -> None:
        """Refuse anything after the value."""
        if self._next():
            raise Malformed(f"There is something after the end of the JSON {self.place()}.")

    def place(self, at: int | None = None) -> str:
        """Return the reader's position, for display."""
        return f"at character {self._before + (self._at if at is None else at) + 1:,}"

    def _next(self) -> str:
        """Step over white space and return the character that follows, "" at the end."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read the next chunk; return whether there was one."""
        try:
            chunk = self._source.read(_CHUNK_CHARACTERS)
        except UnicodeDecodeError as error:
            raise Malformed("The body is not UTF-8.") from error
        if not chunk:
            self._ended = True
            return False
        self._before += self._at
        self._buffer = self._buffer[self._at :] + chunk
        self._at = 0
        return True
