"""Log lines: one each, whatever stands in them, with the id of the request that they belong to."""

import ast
import io
import json
import logging
from pathlib import Path

import pytest
from django.db import OperationalError

from pave.api.unavailable import UnavailableMiddleware
from pave.operations.monitoring import request_ids
from pave.operations.monitoring.log_formatters import (
    EVENT,
    RESERVED,
    JSONFormatter,
    PlainFormatter,
    RouteFilter,
)

FORGED = "first\n2026-01-01 INFO forged\r\x1b[31m\u2028line \u202ex=y"
ROOT = Path(__file__).parents[2]


def record(message, *args, **fields):
    line = logging.LogRecord(
        "webhooks.delivery.results", logging.INFO, "file", 1, message, args, None
    )
    line.__dict__.update(fields)
    return line


def plain(line):
    return PlainFormatter("%(levelname)s %(message)s").format(line)


@pytest.mark.parametrize("line", [record("x.y", url=FORGED), record("It was %s.", FORGED)])
def test_a_plain_line_stays_one_line(line):
    text = plain(line)
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"first\n2026-01-01" in text


def test_a_json_line_stays_one_line():
    text = JSONFormatter().format(record("x.y", url=FORGED))
    assert len(text.split("\n")) == 1
    assert json.loads(text)["url"] == FORGED


def test_a_plain_line_has_its_fields_behind_the_event():
    line = record(
        "resolution.failed", resolution=7, of=None, error="It took longer.", request_id="abc"
    )
    assert plain(line) == 'INFO resolution.failed resolution=7 of=None error="It took longer."'


@pytest.mark.parametrize("value", ["", "a b", "a=b", 'a"b', "a\tb", "a\xa0b", "\x85"])
def test_a_plain_value_that_could_pass_for_more_than_one_is_quoted(value):
    text = plain(record("x.y", note=value, after=1))
    assert text.startswith('INFO x.y note="')
    assert text.endswith('" after=1')


def test_a_json_line_has_the_fields_of_its_record():
    line = json.loads(
        JSONFormatter().format(
            record("resolution.failed", resolution=7, error="It took longer than 60 s.")
        )
    )
    assert line["event"] == line["message"] == "resolution.failed"
    assert line["resolution"] == 7
    assert line["error"] == "It took longer than 60 s."
    assert line["level"] == "INFO"


def test_a_value_makes_no_field():
    names = {"time", "level", "logger", "message", "event", "note"}
    line = json.loads(JSONFormatter().format(record("x.y", note="a client=other level=DEBUG")))
    assert set(line) == names
    assert json.loads(JSONFormatter().format(record("Sent x=%s", "1 y=2"))).keys() < names


def logger_calls():
    for room in ("pave", "webhooks", "merchants"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("logger."):
                    yield pytest.param(node, id=f"{path.relative_to(ROOT)}:{node.lineno}")


@pytest.mark.parametrize("call", [*logger_calls()])
def test_pave_logs_an_event_with_its_fields_in_extra(call):
    (message,) = call.args
    events = [message.body, message.orelse] if isinstance(message, ast.IfExp) else [message]
    assert all(EVENT.fullmatch(ast.literal_eval(event)) for event in events)
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    assert given.keys() <= {"extra", "exc_info"}
    names = {ast.literal_eval(key) for key in given["extra"].keys} if "extra" in given else set()
    assert not names & RESERVED


def test_an_answer_bears_the_callers_request_id(client):
    assert client.get("/livez", headers={"X-Request-Id": "abc-123"})["X-Request-Id"] == "abc-123"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "a\nb", "<script>", "é"])
def test_an_unfit_request_id_is_replaced(client, given):
    answered = client.get("/livez", headers={"X-Request-Id": given})["X-Request-Id"]
    assert answered != given
    assert answered.isalnum()


@pytest.mark.django_db
def test_the_line_of_a_submit_ties_both_ids(api, caplog):
    caplog.handler.addFilter(request_ids.RequestIdFilter())
    with caplog.at_level(logging.INFO, logger="merchants.requests"):
        answer = api.post(
            "/v1/normalizations",
            {"description": "NETFLIX"},
            format="json",
            headers={"X-Request-Id": "from-the-caller"},
        )
    [line] = [one for one in caplog.records if one.message == "request.accepted"]
    assert line.request_id == "from-the-caller"
    assert answer.json()["request_id"] == str(line.request)


@pytest.mark.django_db
@pytest.mark.parametrize("formatter", [PlainFormatter("%(message)s"), JSONFormatter()])
@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/v1/nothing/jane%20doe", "Not Found: GET a path without a route"),
        ("/v1/nothing/jane%0A%C3%BC", "Not Found: GET a path without a route"),
        ("/v1/merchants?search=jane&jane=1", "Bad Request: GET /v1/merchants"),
        ("/v1/batches/jane", "Not Found: GET a path without a route"),
        (
            "/v1/batches/0190c2a4-7e1b-7d3a-9c58-4111111111ab",
            "Not Found: GET /v1/batches/<uuid:batch_id>",
        ),
    ],
)
def test_what_a_caller_put_into_a_path_or_query_is_not_logged(api, formatter, path, shown):
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(formatter)
    handler.addFilter(RouteFilter())
    logger = logging.getLogger("django.request")
    logger.addHandler(handler)
    try:
        api.get(path)
        api.generic("JANE", path)
    finally:
        logger.removeHandler(handler)
    assert shown in output.getvalue()
    assert "jane" not in output.getvalue().casefold()


@pytest.mark.django_db
def test_a_path_is_not_logged_while_the_database_is_unavailable(rf, caplog):
    request = rf.generic("JANE", "/v1/merchants/jane")
    answer = UnavailableMiddleware(lambda _: None).process_exception(
        request, OperationalError("could not connect\nIs the server running?")
    )
    assert answer.status_code == 503
    (line,) = caplog.records
    assert (line.message, line.error) == ("database.unavailable", "could not connect")
    assert "jane" not in str(line.__dict__).casefold()


def test_the_log_of_pave_leaves_paths_out(settings):
    assert "route" in settings.LOGGING["handlers"]["console"]["filters"]


def test_outside_of_a_request_there_is_no_id():
    line = record("cluster.started")
    request_ids.RequestIdFilter().filter(line)
    assert not hasattr(line, "request_id")


@pytest.mark.parametrize(("status", "level"), [(503, "WARNING"), (500, "ERROR")])
def test_what_pave_refuses_for_now_is_no_error(rf, status, level):
    line = logging.makeLogRecord({"levelno": logging.ERROR, "levelname": "ERROR"})
    line.request, line.status_code = rf.get("/v1/usage"), status
    line.request.resolver_match = None
    RouteFilter().filter(line)
    assert (line.levelname, line.levelno) == (level, getattr(logging, level))
