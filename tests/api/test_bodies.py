"""Bodies that are too large, too deep, or not what they say they are."""

import json

import pytest
from rest_framework.views import APIView

from merchants.models import NormalizationRequest
from merchants.requests import erasure
from tests.api.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

GOOD = b'{"description": "CAF\xc3\x89"}'
# Routes that take JSON.
ROUTES = ["/normalize_merchant", "/v1/normalizations", "/v1/batches", "/v1/webhooks"]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "media_type",
    [
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/json; charset=nonsense",
        "text/plain",
        "application/x-www-form-urlencoded",
        "image/png",
        "nonsense",
    ],
)
def test_another_charset_or_type_is_415(api, route, media_type):
    problem(api.post(route, GOOD, content_type=media_type), 415)


@pytest.mark.parametrize("route", ["/normalize_merchant", "/v1/normalizations"])
@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"'])
def test_utf_8_may_be_said(api, route, charset):
    response = api.post(route, GOOD, content_type=f"application/json; charset={charset}")
    assert response.status_code == 202
    assert NormalizationRequest.objects.get().description == "CAFÉ"


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "body", [GOOD.decode().encode("utf-16"), GOOD.decode().encode("latin-1"), b"\x1f\x8b\x08\x00"]
)
def test_bytes_that_are_not_utf_8_are_400(api, route, body):
    problem(api.post(route, body, content_type="application/json"), 400)
    assert not NormalizationRequest.objects.exists()


@pytest.mark.parametrize("coding", ["", "identity", "Identity"])
def test_a_coding_that_is_none_may_be_said(api, coding):
    response = api.post(
        "/v1/normalizations",
        GOOD,
        content_type="application/json",
        HTTP_CONTENT_ENCODING=coding,
    )
    assert response.status_code == 202


def test_a_compressed_body_is_415(api):
    response = api.post(
        "/v1/normalizations",
        b"\x1f\x8b",
        content_type="application/json",
        HTTP_CONTENT_ENCODING="gzip",
    )
    problem(response, 415)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"transactions": [' + b"["])
def test_what_is_nested_without_end_is_400(api, route, opening):
    problem(
        api.post(route, opening * (200_000 // len(opening)), content_type="application/json"), 400
    )


@pytest.mark.parametrize("depth", [98, 99, 100, 101, 900])
def test_a_row_is_nested_as_deeply_as_a_body(api, depth):
    """No deeper than the stack is sure to hold: at its end whatever is finalized fails."""
    row = f'{{"description": "]]", "more": {"[" * depth}"]"{"]" * depth}}}'
    status = 202 if depth < 100 else 400
    for route, media_type, body in (
        ("/v1/normalizations", "application/json", row),
        ("/v1/batches", "application/x-ndjson", row),
        ("/v1/batches", "application/json", f'{{"transactions": [{{"description": "A"}}, {row}]}}'),
    ):
        answer = api.post(route, body, content_type=media_type)
        assert answer.status_code == status, (media_type, body)
        if status == 400:
            assert "ested over 100 levels deep" in answer.content.decode()


def test_many_rows_are_not_nested(api):
    rows = ",".join(['{"description": "A", "metadata": {"a": "["}}'] * 200)
    answer = api.post(
        "/v1/batches", f'{{"transactions": [{rows}]}}', content_type="application/json"
    )
    assert answer.json()["counts"]["accepted"] == 200


@pytest.mark.parametrize("route", ["/normalize_merchant", "/v1/normalizations", "/v1/webhooks"])
def test_a_body_over_256_kib_is_413_before_it_is_read(api, route):
    body = json.dumps({"description": "A", "padding": "x" * 256 * 1024})
    problem(api.post(route, body, content_type="application/json"), 413)


@pytest.mark.parametrize("route", ["/normalize_merchant", "/v1/normalizations", "/v1/webhooks"])
@pytest.mark.parametrize(
    "values",
    ["1," * 2_001 + "1", "[" * 800 + "]" * 800 + "".join([",[[[{}]]]"] * 300)],
    ids=["flat", "nested"],
)
def test_a_body_of_very_many_values_is_400(api, route, values):
    """Each costs others, who wait for the interpreter's lock, more than its bytes."""
    body = f'{{"description": "A", "more": [{values}]}}'
    answer = problem(api.post(route, body, content_type="application/json"), 400)
    assert answer["detail"] == "The body has more than 2,000 values."


@pytest.mark.parametrize("text", [",", "[", '{"', '\\"[,', "\\"])
def test_a_text_may_look_like_very_many_values(api, text):
    body = {"description": "A", "more": text * (20_000 // len(text))}
    assert api.post("/normalize_merchant", body, format="json").status_code == 202


@pytest.mark.parametrize("end", ["", "\\", "\\\\", '"', '\\"', '"\\', "\\\n", ","])
@pytest.mark.parametrize("unit", ['\\"', '\\"\\', '"', "\\", '",', '\\"['])
def test_what_does_not_end_is_400_at_once(api, unit, end):
    """Not after minutes, as it would if each quote could be the beginning of a text."""
    body = "," * 2_001 + '"' + unit * (240_000 // len(unit)) + end
    problem(api.post("/v1/normalizations", body, content_type="application/json"), 400)


def test_a_body_in_chunks_is_411(api):
    problem(
        api.post(
            "/v1/normalizations",
            GOOD,
            content_type="application/json",
            HTTP_TRANSFER_ENCODING="chunked",
        ),
        411,
    )


def test_another_host_is_a_problem_that_does_not_repeat_it(api):
    body = problem(api.get("/livez", headers={"Host": "s3cret.example"}), 400)
    assert "s3cret" not in str(body)


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_an_unknown_path_is_404_for_every_method(api, method):
    problem(getattr(api, method)("/v1/nothing", {}, format="json"), 404)


@pytest.mark.parametrize("path", ["/v1/webhooks", "/v1/webhooks/{}/rotate-secret"])
def test_of_very_many_wrong_members_some_are_told(api, webhook, path):
    body = {f"k{number}": 1 for number in range(1500)}
    told = problem(api.post(path.format(webhook.pk), body, format="json"), 400)
    assert len(told["errors"]) == 100


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/normalizations", {"description": "NETFLIX"}),
        ("/v1/batches", {"transactions": [{"description": "NETFLIX"}]}),
        ("/v1/webhooks", {"url": "https://93.184.215.14/"}),
        ("/normalize_merchant", {"description": "NETFLIX"}),
    ],
)
def test_a_client_that_is_erased_meanwhile_is_401(api, client_1234, monkeypatch, path, body):
    let_in = APIView.initial

    def erased(self, *args, **kwargs):
        let_in(self, *args, **kwargs)
        list(erasure.erase(client=client_1234.client))

    monkeypatch.setattr(APIView, "initial", erased)
    refused = api.post(path, body, format="json")
    problem(refused, 401)
    assert refused["WWW-Authenticate"].startswith("Api-Key")
