"""Log lines: one each, whatever stands in them, with the id of the request that they belong to."""

import io
import json
import logging

import pytest

from pave.operations.monitoring import request_ids
from pave.operations.monitoring.log_formatters import JSONFormatter, PlainFormatter, RouteFilter

FORGED = "first\n2026-01-01 INFO forged\r\x1b[31m\u2028line"


def record(message, *args):
    return logging.LogRecord(
        "webhooks.delivery.results", logging.INFO, "file", 1, message, args, None
    )


def test_a_plain_line_stays_one_line():
    text = PlainFormatter("%(levelname)s %(message)s").format(record("x.y url=%s", FORGED))
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text
    assert r"first\n2026-01-01" in text


def test_a_json_line_stays_one_line():
    text = JSONFormatter().format(record("x.y url=%s", FORGED))
    assert len(text.split("\n")) == 1
    assert json.loads(text)["message"] == f"x.y url={FORGED}"


def test_a_json_line_has_the_fields_of_its_text():
    line = json.loads(
        JSONFormatter().format(
            record("resolution.failed resolution=%s error=%s", 7, "It took longer than 60 s.")
        )
    )
    assert line["event"] == "resolution.failed"
    assert line["resolution"] == "7"
    assert line["error"] == "It took longer than 60 s."
    assert line["level"] == "INFO"


def test_a_value_cannot_take_the_place_of_a_fact():
    line = json.loads(JSONFormatter().format(record("x.y client=1234 note=%s", "a client=other")))
    assert line["client"] == "1234"
    forged = json.loads(JSONFormatter().format(record("x.y note=%s", "a level=DEBUG logger=x")))
    assert forged["level"] == "INFO"
    assert forged["logger"] == "webhooks.delivery.results"


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
    [line] = [one for one in caplog.records if one.message.startswith("request.accepted")]
    assert line.request_id == "from-the-caller"
    assert answer.json()["request_id"] in line.message


@pytest.mark.django_db
@pytest.mark.parametrize("formatter", [PlainFormatter("%(message)s"), JSONFormatter()])
@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/v1/nothing/jane%20doe", "Not Found: a path without a route"),
        ("/v1/nothing/jane%0A%C3%BC", "Not Found: a path without a route"),
        ("/v1/merchants?search=jane&jane=1", "Bad Request: /v1/merchants"),
        ("/v1/batches/jane", "Not Found: a path without a route"),
        (
            "/v1/batches/0190c2a4-7e1b-7d3a-9c58-4111111111ab",
            "Not Found: /v1/batches/<uuid:batch_id>",
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
    finally:
        logger.removeHandler(handler)
    assert shown in output.getvalue()
    assert "jane" not in output.getvalue()


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
