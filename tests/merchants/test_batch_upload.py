"""Bodies of batches are read as the standard library would read them whole, and rows are checked
as the serializer would."""

import csv
import io
import json
from contextlib import contextmanager

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from merchants.api import batch_upload
from merchants.api.batch_rows import RowChecker
from merchants.api.batch_upload import BadRow, Malformed, read_csv, read_json, read_ndjson
from merchants.api.serializers import SeedTransactionSerializer, TransactionSerializer
from merchants.api.transaction_validation import Checker
from pave.api.body_parsers import Number
from pave.api.errors import field_errors
from pave.api.fields import BooleanField, TextField

BOUNDED = settings(max_examples=200)
TEXT = st.text(max_size=30)
SCALARS = st.none() | st.booleans() | st.integers() | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
)
# Values near what the fields take: good ones, nearly good ones, others.
FIELDS = {
    "description": st.sampled_from(
        ["NETFLIX.COM", "x" * 500, "x" * 501, " ", "", "a\x00", "é", None]
    )
    | TEXT,
    "amount": st.sampled_from(
        [
            "12.99",
            "-0",
            "007",
            "1e3",
            "1e999",
            ".5",
            "5.",
            "+1",
            " 1",
            "٣",
            "1_0",
            "9" * 20,
            "9" * 21,
            "0.000000001",
            "NaN",
            "",
            None,
            True,
            Number("12.10"),
            Number("1e2"),
            Number("-0.0"),
            Number("1e1000000"),
            Number("1e-1000000"),
        ]
    )
    | st.decimals(allow_nan=True).map(str),
    "date": st.sampled_from(["2026-11-20", "2026-02-30", "20261120", "٢026-01-01", 5, None, ""])
    | st.dates().map(str),
    "currency": st.sampled_from(["USD", "usd", "ZZZ", "", None, 1, "US\x00", " USD"]),
    "mcc": st.sampled_from(["5814", "9998", Number("5814"), "", None, "05814"]),
    "country": st.sampled_from(["US", "us", "XK", "ZZ", "ß", None, [], ""]),
    "city": st.sampled_from(["Oakland", "x" * 100, "x" * 101, "", None, "\ud800", 7]) | TEXT,
    "reference": st.sampled_from(["t-1", "x" * 255, "x" * 256, "", None, "\x00", {}])
    | st.sampled_from(["4111111111111111", "order-4111 1111 1111 1111", "2026111000010042"])
    | TEXT,
    "metadata": st.sampled_from(
        [{}, None, 0, False, "", [], {"a": ""}, {"": "a"}, {" ": "a"}, {"a": None}, {"a": 1}]
        + [
            {"k" * 40: "v" * 500},
            {"k" * 41: "v"},
            {"k": "v" * 501},
            {"a\x00": "b"},
            {"\ud800": "b"},
        ]
        + [{str(number): "v" for number in range(count)} for count in (16, 17)]
        + [{"a": {"b": "c"}}, {"a": Number("1")}, {"a": "4111 1111 1111 1111"}]
    )
    | st.dictionaries(TEXT, TEXT, max_size=3),
    "client_id": st.sampled_from([None, "1234"]),
    "other": SCALARS,
}
ROWS = st.fixed_dictionaries({}, optional=FIELDS) | VALUES


def body(text):
    return io.BytesIO(text.encode() if isinstance(text, str) else text)


def serialized(row):
    try:
        return TransactionSerializer().run_validation(row), []
    except ValidationError as error:
        return None, field_errors(error.detail)


@BOUNDED
@given(ROWS)
@example({"description": "A", "amount": "12.99", "date": "2026-11-20"})
@example({"description": "A", "currency": "USD", "mcc": "5814", "country": "US", "city": ""})
@example({"description": "A", "reference": "4111111111111111"})
@example([])
@example(None)
def test_rows_are_checked_as_the_serializer_checks_them(row):
    fields, errors = RowChecker("1234").check(row)
    expected, expected_errors = serialized(row)
    assert (fields, errors) == (None if expected is None else dict(expected), expected_errors)
    if fields:
        assert {name: type(value) for name, value in fields.items()} == {
            name: type(value) for name, value in expected.items()
        }


@BOUNDED
@given(ROWS)
@example({"description": "A", "amount": "12.99", "date": "2026-11-20", "currency": "ZZZ"})
def test_the_seeds_transactions_are_checked_as_their_serializer_checks_them(data):
    def judged(check):
        try:
            return dict(check(data))
        except ValidationError as error:
            return field_errors(error.detail)

    checker = Checker(SeedTransactionSerializer())
    assert judged(checker.check) == judged(SeedTransactionSerializer().run_validation)


class GrownSerializer(TransactionSerializer):
    """One with fields that the fast check has never heard of."""

    terminal = TextField(required=False, allow_blank=True, max_length=3)
    refunded = BooleanField(required=False)


@pytest.mark.parametrize(
    "more",
    [
        {"terminal": "T-7"},
        {"terminal": "T-77"},
        {"terminal": "\x00"},
        {"refunded": True},
        {"refunded": "yes"},
    ],
)
def test_a_field_that_is_new_is_neither_dropped_nor_taken_unchecked(more):
    def judged(check):
        try:
            return dict(check({"description": "SHOP", **more}))
        except ValidationError as error:
            return field_errors(error.detail)

    serializer = GrownSerializer()
    assert judged(Checker(serializer).check) == judged(serializer.run_validation)


@contextmanager
def cut_at(chunk, look):
    """During the block, read so many characters at once, and look at so many first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_upload, "_CHUNK_CHARACTERS", chunk)
        patch.setattr(batch_upload, "_FIRST_CHARACTERS", look)
        patch.setattr(batch_upload, "_MORE_CHARACTERS", look)
        yield


@BOUNDED
@given(
    st.lists(st.one_of(VALUES, st.floats(allow_nan=False, allow_infinity=False)), max_size=8),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([None, 1, "\t"]),
)
def test_json_is_read_as_if_whole_wherever_it_is_cut(rows, cut, look, indent):
    members = {}
    text = json.dumps(
        {"a": 1, "transactions": rows, "deliver": "each", "z": [{}]},
        indent=indent,
        ensure_ascii=bool(indent),
    )
    with cut_at(cut, look):
        read = list(read_json(body(text.encode("utf-8", "replace")), members.__setitem__))
    whole = json.loads(text.encode("utf-8", "replace"), parse_int=Number, parse_float=Number)
    assert [row for _, row in read] == whole["transactions"]
    assert members == {"a": "1", "deliver": "each", "z": [{}]}


@BOUNDED
@given(st.text(alphabet='{}[]:,"ab1.e- \n\\utransctio', max_size=60), *2 * [st.integers(1, 9)])
def test_json_is_refused_where_the_standard_library_refuses_it(text, cut, look):
    with cut_at(cut, look):
        try:
            read = [row for _, row in read_json(body(text), {}.__setitem__)]
        except Malformed:
            read = None
    try:
        whole = json.loads(text, parse_int=Number, parse_float=Number)
    except ValueError:
        whole = None
    good = isinstance(whole, dict) and isinstance(whole.get("transactions"), list)
    assert read == (whole["transactions"] if good else None)


@BOUNDED
@given(st.lists(st.one_of(VALUES.map(json.dumps), TEXT, st.just("")), max_size=10))
def test_each_line_is_read_by_itself(lines):
    text = "\n".join(line.replace("\n", " ") for line in lines).encode("utf-8", "replace")
    read = list(read_ndjson(body(text)))
    numbered = enumerate(text.decode().split("\n"), start=1)
    expected = [(number, line) for number, line in numbered if line.strip(" \t\r\n")]
    assert [line for line, _ in read] == [number for number, _ in expected]
    for (_, row), (_, line) in zip(read, expected, strict=True):
        try:
            assert row == json.loads(
                line, parse_int=Number, parse_float=Number, parse_constant=lambda _: 1 / 0
            )
        except (ValueError, ZeroDivisionError):
            assert isinstance(row, BadRow)


CELLS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)


@BOUNDED
@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_csv_comes_back_as_it_was_written(rows, quoting, ending):
    # The writer leaves a lone \r unquoted, and the reader takes it for the end of a line.
    assume(quoting == csv.QUOTE_ALL or "\r" not in str(rows).replace("\\r", "\r"))
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=quoting, lineterminator=ending)
    writer.writerows([["description", "city", "unknown"], *rows])
    read = [row for _, row in read_csv(body(text.getvalue()))]
    assert read == [
        {name: cell for name, cell in zip(["description", "city"], row, strict=False) if cell}
        for row in rows
    ]


@BOUNDED
@given(st.text(alphabet='a,"\n\r;é', max_size=60))
def test_any_text_is_csv_or_refused(text):
    try:
        for line, row in read_csv(body("description,city\n" + text)):
            assert line > 1
            assert isinstance(row, dict | BadRow)
    except Malformed as error:
        assert "is not CSV" in str(error)  # noqa: PT017 - it may be raised or not


@BOUNDED
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data):
    for read in (read_csv, read_ndjson, lambda file: read_json(file, {}.__setitem__)):
        try:
            list(read(io.BytesIO(data)))
        except Malformed:
            pass


@pytest.mark.parametrize(
    "value",
    [
        "[" + "0," * 90_000 + "0]",
        "[" + "[]," * 50_000 + "[]]",
        '["' + "x" * 130_900 + '",' + "1," * 32_000 + "1]",
        "[" + "0," * 2_001 + "0]",
    ],
    ids=["numbers", "lists", "at its end", "few more"],
)
@pytest.mark.parametrize("text", ['{{"transactions": [{}]}}', '{{"a": {}, "transactions": []}}'])
def test_a_value_of_very_many_is_refused_before_it_is_read(value, text):
    """Others wait while it is read."""
    with pytest.raises(Malformed, match="more than 2,000 values"):
        list(read_json(body(text.format(value)), {}.__setitem__))


def test_many_small_values_are_read():
    rows = [[number] * 20 for number in range(30_000)]
    read = read_json(body(json.dumps({"transactions": rows})), {}.__setitem__)
    assert sum(1 for _ in read) == len(rows)


def test_a_line_of_very_many_values_is_refused_by_itself():
    first, second = read_ndjson(body("[" + "0," * 3_000 + "0]\n{}"))
    assert str(first[1]) == "Has more than 2,000 values."
    assert second[1] == {}


def test_an_error_in_json_is_placed():
    text = '{"transactions": [{"description": "A"}, {"description" "B"}' + " " * 100 + "]}"
    with pytest.raises(Malformed, match=r"Expecting ':' delimiter at character 56"):
        list(read_json(body(text), {}.__setitem__))


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("description,metadata.a,METADATA.a", "two columns metadata.a"),
        ("description,metadata.a, metadata.a ", "two columns metadata.a"),
        ("description,metadata,metadata", "two columns metadata"),
        ("description,client_id,client_id", "two columns client_id"),
        ("description,metadata,metadata.a", "use one kind"),
    ],
)
def test_columns_of_which_one_would_take_the_place_of_another_are_refused(header, why):
    with pytest.raises(Malformed, match=why):
        list(read_csv(body(f"{header}\nSHOP,1,2\n")))


def test_a_record_of_many_lines_is_no_longer_than_a_line_may_be():
    """The columns of such a header were compared for hours."""
    cells = [f'metadata.{number},"\n"' for number in range(20_000)]
    header = "description," + ",".join(cells)
    with pytest.raises(Malformed, match="begins on line 1 is longer"):
        list(read_csv(body(header + "\n")))
    rows = "description,note\n" + 'SHOP,"a\n"\n' * 20_000
    assert len(list(read_csv(body(rows)))) == 20_000
    with pytest.raises(Malformed, match="begins on line 40002 is longer"):
        list(read_csv(body(rows + "SHOP" + ',"\n"' * 50_000 + "\n")))


def test_pairs_whose_names_differ_by_capitals_are_two():
    [(_, row)] = read_csv(body("description,metadata.a,metadata.A\nSHOP,1,2\n"))
    assert row["metadata"] == {"a": "1", "A": "2"}


def test_a_column_metadata_is_read_as_results_have_it():
    [(_, row)] = read_csv(body('description,metadata\nSHOP,"{""a"": ""1""}"\n'))
    assert RowChecker("1234").check(row) == (
        {"description": "SHOP", "metadata": {"a": "1"}},
        [],
    )


@pytest.mark.parametrize("cell", ["text", "5", "[]", '"{""a"": 1}"', "[" * 5000])
def test_a_cell_metadata_that_is_no_object_of_texts_is_an_error_of_its_row(cell):
    [(_, row)] = read_csv(body(f"description,metadata\nSHOP,{cell}\n"))
    fields, [error] = RowChecker("1234").check(row)
    assert fields is None
    assert error["pointer"].startswith("/metadata")
