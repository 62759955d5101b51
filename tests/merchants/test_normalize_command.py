"""``manage.py normalize`` loses nothing of its input and never mixes up columns."""

import csv
import io
import os
import stat
import subprocess
import sys
from signal import SIGKILL

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from merchants.management.commands import normalize
from merchants.management.commands.normalize import ADDED_COLUMNS

# Processes are forked: they must not share a connection in a transaction.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def small_catalogue(monkeypatch):
    """Answer from an empty catalogue, which is quick to load."""
    heuristic = normalize.importer.rulesets.CatalogueHeuristic(
        normalize.importer.rulesets.Content()
    )
    monkeypatch.setattr(normalize.importer, "offline_heuristic", lambda: heuristic)
    monkeypatch.setattr(normalize.importer, "offline_merchants", dict)


def run(source, target):
    output, errors = io.StringIO(), io.StringIO()
    call_command("normalize", source, output=target, workers=1, stdout=output, stderr=errors)
    return output.getvalue() + errors.getvalue()


def rows_of(path):
    with path.open(newline="", encoding="utf-8-sig") as lines:
        return list(csv.reader(lines, strict=True))


def written(path, rows, **options):
    with path.open("w", newline="", encoding="utf-8") as lines:
        csv.writer(lines, **options).writerows(rows)
    return path


CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAMES = st.sampled_from(["note", "note", "", "merchant", "Merchant", "pave_merchant", "amount"])


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(NAMES | CELLS, max_size=4),
    st.lists(st.lists(CELLS, min_size=1, max_size=8), max_size=5),
)
@example(["note", "note"], [["SHOP", "a", "b"]])
@example(["x"], [["SHOP", "a", "more", "still more"], ["SHOP"], ["SHOP", "é\r\n\"'", ",;\x00"]])
def test_every_cell_comes_out_as_it_was_and_where_it_was(tmp_path, names, rows):
    header = ["description", *names]
    source = written(tmp_path / "in.csv", [header, *rows])
    run(source, tmp_path / "out.csv")
    width = max(map(len, [header, *rows]))
    shown = rows_of(tmp_path / "out.csv")
    assert [row[:width] for row in shown] == [
        row + [""] * (width - len(row)) for row in [header, *rows]
    ]
    assert {len(row) for row in shown} == {width + len(ADDED_COLUMNS)}
    added = [name.strip().casefold() for name in shown[0][width:]]
    assert len({*added}) == len(ADDED_COLUMNS)
    assert not {*added} & {name.strip().casefold() for name in header}


def test_an_added_column_never_has_the_name_of_another(tmp_path):
    source = written(tmp_path / "in.csv", [["description", "Merchant", "city"], ["SHOP", "m", "c"]])
    assert "has a column merchant; the added one is pave_merchant." in run(source, source)
    run(source, source)
    run(source, source)
    header, row = rows_of(source)
    assert header[:3] == ["description", "Merchant", "city"]
    assert row[:3] == ["SHOP", "m", "c"]
    assert len(set(header)) == len(header) == len(row) == 3 + 3 * len(ADDED_COLUMNS)
    assert header[3] == "pave_merchant"
    assert header[3 + len(ADDED_COLUMNS)] == "pave_merchant_2"
    assert header[3 + 2 * len(ADDED_COLUMNS)] == "pave_merchant_3"


def test_blank_lines_and_short_rows_stay_where_they_are(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text('description,note\n\nSHOP\n"SHOP ""1""",x\n\n')
    assert "2 rows written" in run(source, tmp_path / "out.csv")
    rows = rows_of(tmp_path / "out.csv")
    assert [row[:2] for row in rows] == [
        ["description", "note"], [], ["SHOP", ""], ['SHOP "1"', "x"], [],
    ]  # fmt: skip


def test_of_columns_of_one_name_the_first_is_read_and_it_is_said(tmp_path):
    rows = [["description", "description"], ["FIRST SHOP", "SECOND SHOP"]]
    said = run(written(tmp_path / "in.csv", rows), tmp_path / "out.csv")
    assert "several columns description; the first is read" in said
    header, row = rows_of(tmp_path / "out.csv")
    assert row[:2] == rows[1]
    assert row[header.index("merchant")] == "First Shop"


def test_names_of_columns_are_taken_as_the_api_takes_them(tmp_path):
    rows = [[" Description ", "note"], ["BLUE SHOP", "n"]]
    said = run(written(tmp_path / "in.csv", rows), tmp_path / "out.csv")
    assert said.startswith("1 rows written")
    header, row = rows_of(tmp_path / "out.csv")
    assert (header[0], row[header.index("merchant")]) == (" Description ", "Blue Shop")


def test_no_cell_that_is_added_is_a_formula(tmp_path):
    source = written(tmp_path / "in.csv", [["description"], ["=HYPERLINK(1)"], ["@SUM(A1) SHOP"]])
    run(source, tmp_path / "out.csv")
    for row in rows_of(tmp_path / "out.csv")[1:]:
        assert not [cell for cell in row[1:] if cell.startswith(("=", "+", "-", "@"))]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_stays_as_it_was(tmp_path, mark):
    source = tmp_path / "in.csv"
    source.write_bytes(mark + b"description\nSHOP\n")
    run(source, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes().startswith(mark + b"description,merchant")


def test_where_a_link_is_given_its_target_is_written_and_the_link_stays(tmp_path):
    source = written(tmp_path / "in.csv", [["description"], ["SHOP"]])
    (tmp_path / "far").mkdir()
    target = tmp_path / "far" / "out.csv"
    target.write_text("old")
    target.chmod(0o640)
    link = tmp_path / "out.csv"
    link.symlink_to(target)
    run(source, link)
    assert link.is_symlink()
    assert rows_of(target)[1][0] == "SHOP"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert sorted(path.name for path in (tmp_path / "far").iterdir()) == ["out.csv"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"name\nSHOP\n", "has no column description"),
        (b"", "has no column description"),
        (b'description\nSHOP\n"SHOP" 2\n', "line 3"),
        (b'description\n"SHOP\n', "line 2"),
        (b"description\nSHOP \xff\n", "line 2: not UTF-8"),
        # Beyond what is decoded at a time.
        (b"description\n" + b"SHOP\n" * 9_000 + b"SHOP \xff\n", "line 9002: not UTF-8"),
    ],
)
def test_what_cannot_be_read_whole_is_refused_and_nothing_is_written(tmp_path, content, why):
    source = tmp_path / "in.csv"
    source.write_bytes(content)
    with pytest.raises(CommandError, match=why):
        run(source, source)
    assert source.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_what_is_no_file_is_not_written_over(tmp_path):
    source = written(tmp_path / "in.csv", [["description"], ["SHOP"]])
    with pytest.raises(CommandError, match="not a regular file"):
        run(source, tmp_path)


def test_a_pipe_can_be_read(tmp_path):
    """The input is read twice, which a pipe's content can be only as a copy."""
    target = tmp_path / "out.csv"
    subprocess.run(
        [sys.executable, "manage.py", "normalize", "/dev/stdin", "-o", target, "--workers", "1"],
        input=b"description,note\nNETFLIX.COM,x\n",
        cwd=settings.BASE_DIR,
        env={"DATABASE_URL": "sqlite://:memory:", "PAVE_BROKER": "orm", "DEBUG": "1"},
        check=True,
        capture_output=True,
    )
    assert rows_of(target)[1][:3] == ["NETFLIX.COM", "x", "Netflix"]


def test_card_numbers_are_masked_before_a_text_is_read(tmp_path):
    """As the API does it: the description stays as it was, what is added has none of them."""
    text = "4111 1111 1111 1111 FERN SHOP"
    source = written(tmp_path / "in.csv", [["description"], [text]])
    run(source, tmp_path / "out.csv")
    header, row = rows_of(tmp_path / "out.csv")
    assert row[0] == text
    added = dict(zip(header[1:], row[1:], strict=True))
    assert added["merchant"] == "Fern Shop"
    assert not any("1111 1111" in cell for cell in row[1:])


def test_a_process_that_is_killed_ends_the_run(tmp_path, monkeypatch):
    """It ran for ever; and nothing of the target is lost."""
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    written(source, [["description"], *[["SHOP"]] * 2_000])
    target.write_text("before")
    monkeypatch.setattr(normalize, "_answer", lambda transaction: os.kill(os.getpid(), SIGKILL))
    with pytest.raises(CommandError, match="terminated abruptly"):
        run(source, target)
    assert target.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]
