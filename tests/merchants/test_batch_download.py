import csv
import io
import itertools
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from merchants.api import batch_download
from merchants.api.transfer_limits import DOWNLOADS, Download
from merchants.models import NormalizationRequest
from tests.api.problems import problem
from tests.merchants.batching import CSV, NDJSON, post
from tests.merchants.cluster import run_cluster

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

ROWS = [{"description": f"NETFLIX {number}", "reference": f"r-{number}"} for number in range(7)]


@pytest.fixture(autouse=True)
def small_chunks(first_word, monkeypatch):
    monkeypatch.setattr(batch_download, "_CHUNK_ROWS", 3)


def results(api, rows, accept):
    batch_id = post(api, rows).json()["id"]
    run_cluster()
    response = api.get(f"/v1/batches/{batch_id}/results", headers={"accept": accept})
    assert response.status_code == 200
    return response, b"".join(response.streaming_content).decode()


@pytest.mark.parametrize(
    "accept",
    [
        "*/*", NDJSON, "application/json", "text/html", "Application/JSON, text/*;q=0.9",
        "text/*, text/csv;q=0.1, application/x-ndjson;q=0.5", "text/csv;q=0", "text", ";",
        "text/csv" + ";" * 8_000,
    ],
)  # fmt: skip
def test_ndjson_has_the_objects_in_the_order_of_the_input(api, accept):
    response, text = results(api, [*ROWS[:3], {"description": ""}, *ROWS[3:]], accept)
    assert response["content-type"] == "application/x-ndjson; charset=utf-8"
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["row"] for line in lines] == [1, 2, 3, 5, 6, 7, 8]
    assert [line["transaction"]["reference"] for line in lines] == [
        row["reference"] for row in ROWS
    ]
    row = lines[0].pop("row")
    shown = api.get(f"/v1/normalizations/{lines[0]['request_id']}").json()
    del shown["deliveries"]
    assert (row, lines[0]) == (1, shown)


def test_no_sign_in_a_text_ends_a_line_of_ndjson(api):
    description = "A\u2028B\u2029C\x85D"
    _, text = results(api, [{"description": description}], NDJSON)
    (line,) = text.splitlines()
    assert json.loads(line)["transaction"]["description"] == description


@pytest.mark.parametrize(
    "accept",
    [
        CSV, "text/csv, */*;q=0.5", "text/*;q=0.1, text/csv", "text/*", "TEXT/CSV", "Text/*",
        "text/csv; charset=UTF-8", "text/csv, */*", "application/json;q=0.5, text/*",
        "text/csv; charset*=undefined''x, a/b; a*0=x; a=y; a*=z",
    ],
)  # fmt: skip
def test_csv_is_given_where_it_is_asked_for(api, accept):
    response, text = results(api, ROWS, accept)
    assert response["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["row"] for row in rows] == list("1234567")
    assert (rows[0]["merchant"], rows[0]["status"], rows[0]["method"]) == (
        "Netflix",
        "completed",
        "cleaned",
    )


@pytest.mark.parametrize(
    "start", [*"=+-@\t\r\n＝＋－＠﹢", " =", "\ufeff=", "\u202e@", "\u3164=", "\v +"]
)
def test_cells_that_a_spreadsheet_would_run_are_defused(api, start):
    formula = f"{start}HYPERLINK(1)"
    rows = [{"description": formula, "reference": formula}]
    _, text = results(api, rows, CSV)
    [row] = csv.DictReader(io.StringIO(text, newline=""))
    assert row["description"] == row["reference"] == "'" + formula


@pytest.mark.parametrize("separator", [";", '"; "', "\t"])
def test_cells_of_a_spreadsheet_that_splits_at_another_sign_are_defused(api, separator):
    cell = f"SHOP{separator}=1+1{separator}X"
    rows = [{"description": cell, "reference": cell, "metadata": {"k": "SHOP;=1+1"}}]
    _, text = results(api, rows, CSV)
    split = re.split(r"[;\t]", text)
    assert any("1+1" in cell for cell in split)
    assert not any(cell.lstrip('" ').startswith("=") for cell in split)


def test_rows_without_an_answer_are_there_too(api):
    batch_id = post(api, ROWS).json()["id"]
    response = api.get(f"/v1/batches/{batch_id}/results")
    lines = [json.loads(line) for line in b"".join(response.streaming_content).splitlines()]
    assert [line["status"] for line in lines] == ["queued"] * 7


def test_anothers_results_are_404(api, stranger_api):
    batch_id = post(api, ROWS).json()["id"]
    assert stranger_api.get(f"/v1/batches/{batch_id}").status_code == 404
    assert stranger_api.get(f"/v1/batches/{batch_id}/results").status_code == 404
    assert NormalizationRequest.objects.count() == 7


def test_a_client_reads_one_result_at_a_time_until_it_has_been_read(api, stranger):
    ids = [
        caller.post("/v1/batches", {"transactions": ROWS}, format="json").json()["id"]
        for caller in (api, stranger.api)
    ]
    first = api.get(f"/v1/batches/{ids[0]}/results")
    refused = api.get(f"/v1/batches/{ids[0]}/results")
    assert "Other results of yours" in problem(refused, 429)["detail"]
    assert int(refused["retry-after"]) >= 1
    assert stranger.api.get(f"/v1/batches/{ids[1]}/results").getvalue()
    assert first.getvalue()
    assert api.get(f"/v1/batches/{ids[0]}/results").getvalue()


def test_two_parts_of_results_are_worked_on_at_once():
    begun, third = itertools.count(1), threading.Event()
    both = threading.Barrier(2)

    def parts():
        if (number := next(begun)) <= 2:
            both.wait(10)
            third_came = third.wait(0.5)
            both.wait(10)  # neither ends before the other has looked
            yield third_came
        third.set()
        yield number > 2

    with ExitStack() as opened, ThreadPoolExecutor() as readers:
        downloads = [opened.enter_context(closing(Download(n, parts()))) for n in range(3)]
        third_came_meanwhile = list(readers.map(next, downloads))
    assert sorted(third_came_meanwhile) == [False, False, True]


def test_a_process_lets_few_read_results(api):
    batch_id = api.post("/v1/batches", {"transactions": ROWS}, format="json").json()["id"]
    with ExitStack() as others:
        for number in range(DOWNLOADS.limit):
            others.enter_context(DOWNLOADS.slot(-number))
        problem(api.get(f"/v1/batches/{batch_id}/results"), 503)
    assert api.get(f"/v1/batches/{batch_id}/results").getvalue()
