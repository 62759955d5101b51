import json
from uuid import uuid4

import pytest

from merchants.models import NormalizationRequest

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

SEED = {"date": "2021-10-03", "description": "NETFLIX.COM", "amount": "12.99"}
ROUTES = ["/normalize_merchant", "/v1/normalizations"]


def problem(response, status, pointer=None):
    assert response.status_code == status, response.content
    assert response["content-type"] == "application/problem+json"
    body = json.loads(response.content)
    assert {"type", "title", "status", "detail"} <= set(body)
    assert body["status"] == status
    if pointer:
        assert pointer in [error["pointer"] for error in body["errors"]], body
    return body


def test_the_seeds_route_answers_a_request_id(api, client_1234):
    response = api.post("/normalize_merchant", SEED, format="json", HTTP_CLIENT_ID="1234")
    assert response.status_code == 202
    assert set(response.json()) == {"request_id"}
    request = NormalizationRequest.objects.get(pk=response.json()["request_id"])
    assert (request.client, request.status) == (client_1234.client, "queued")
    assert response["location"] == f"/v1/normalizations/{request.pk}"


def test_v1_answers_the_object_that_its_location_gives(api):
    sent = {
        "description": "SQ *BLUE BOTTLE COFFEE OAKLAND CA",
        "amount": "5.250",
        "currency": "usd",
        "date": "2026-11-20",
        "mcc": "5814",
        "country": "US",
        "city": "Oakland",
        "reference": "t-1",
    }
    response = api.post("/v1/normalizations", sent, format="json")
    assert response.status_code == 202
    body = response.json()
    assert body["transaction"] == {**sent, "currency": "USD"}
    assert (body["status"], body["merchant"], body["deliveries"]) == ("queued", None, [])
    assert api.get(response["location"]).json() == body


def test_amounts_come_back_in_the_digits_in_which_they_came(api):
    for raw, shown in [("12.10", "12.10"), ('"-0.5"', "-0.5"), ("1e2", "100"), ("7", "7")]:
        response = api.post(
            "/v1/normalizations",
            f'{{"description": "X", "amount": {raw}}}',
            content_type="application/json",
        )
        assert response.json()["transaction"]["amount"] == shown


def test_text_of_any_script_comes_back_as_it_was(api):
    text = "  CAFÉ ☕ 株式会社 \u202e مقهى 🥐 "
    response = api.post("/v1/normalizations", {"description": text}, format="json")
    assert response.json()["transaction"]["description"] == text


def test_a_submit_costs_one_insert(api, django_assert_num_queries, settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    api.post("/normalize_merchant", SEED, format="json")
    with django_assert_num_queries(1) as captured:
        api.post("/normalize_merchant", SEED, format="json")
    assert captured[0]["sql"].startswith("INSERT INTO")


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"description": None}, "/description"),
        ({"description": ""}, "/description"),
        ({"description": "  \t "}, "/description"),
        ({"description": "x" * 501}, "/description"),
        ({"description": 12}, "/description"),
        ({"description": ["x"]}, "/description"),
        ({"description": "a\x00b"}, "/description"),
        ({"amount": "twelve"}, "/amount"),
        ({"amount": "NaN"}, "/amount"),
        ({"amount": "Infinity"}, "/amount"),
        ({"amount": "9" * 400}, "/amount"),
        ({"amount": "1e400"}, "/amount"),
        ({"amount": "1_000"}, "/amount"),
        ({"amount": " 1"}, "/amount"),
        ({"amount": "١٢"}, "/amount"),
        ({"amount": True}, "/amount"),
        ({"amount": {"value": 1}}, "/amount"),
        ({"date": "2021-02-30"}, "/date"),
        ({"date": "03.10.2021"}, "/date"),
        ({"date": "2021-10-03T10:00:00Z"}, "/date"),
        ({"date": 20211003}, "/date"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_written(api, route, change, pointer):
    body = {name: value for name, value in {**SEED, **change}.items() if value is not None}
    problem(api.post(route, body, format="json"), 400, pointer)
    assert not NormalizationRequest.objects.exists()


# Beyond what decimals are reckoned with, which is up to 999,999 digits.
HUGE = ["1e400", "1e1000000", "-1E+999999999999999999999", "1e-99999999999999999999"]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("number", HUGE)
def test_a_number_of_any_size_is_refused_by_its_field(api, route, number):
    body = f'{{"description": "NETFLIX.COM", "amount": {number}}}'
    problem(api.post(route, body, content_type="application/json"), 400, "/amount")


@pytest.mark.parametrize("number", HUGE)
def test_a_row_with_a_number_of_any_size_is_reported_and_the_others_taken(api, number):
    rows = f'{{"description": "A"}}\n{{"description": "B", "amount": {number}}}\n'
    batch = api.post("/v1/batches", rows, content_type="application/x-ndjson").json()
    assert (batch["counts"]["accepted"], batch["counts"]["rejected"]) == (1, 1)
    assert batch["errors"][0]["line"] == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("currency", "ZZZ"),
        ("currency", "€"),
        ("mcc", "58"),
        ("mcc", "9998"),
        ("country", "ZZ"),
        ("country", "USA"),
        ("country", "ß"),
        ("city", "x" * 101),
        ("reference", "x" * 256),
        ("reference", "a\x00"),
    ],
)
def test_v1_names_a_wrong_code(api, field, value):
    response = api.post("/v1/normalizations", {**SEED, field: value}, format="json")
    problem(response, 400, f"/{field}")


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b'{"description": "x", "amount": NaN}',
        b'{"description": "x", "amount": Infinity}',
        b'{"description": "\xff"}',
        b'{"description": "x"} trailing',
        b"[" * 100_000,
    ],
)
def test_what_is_not_a_json_object_is_refused(api, route, raw):
    problem(api.post(route, raw, content_type="application/json"), 400)
    assert not NormalizationRequest.objects.exists()


def test_lone_surrogates_are_refused_by_name(api):
    raw = '{"description": "a\\ud800b"}'
    response = api.post("/v1/normalizations", raw, content_type="application/json")
    problem(response, 400, "/description")


def test_another_media_type_is_415(api):
    problem(api.post("/normalize_merchant", "x=1", content_type="text/plain"), 415)


def test_a_body_over_256_kib_is_413(api):
    raw = json.dumps({"description": "x", "padding": "y" * 256 * 1024})
    problem(api.post("/normalize_merchant", raw, content_type="application/json"), 413)


def test_a_wrong_method_is_405(api):
    problem(api.get("/normalize_merchant"), 405)


def test_without_a_key_it_is_401_and_says_how(client):
    response = client.post("/normalize_merchant", SEED, content_type="application/json")
    problem(response, 401)
    assert response["www-authenticate"].startswith("Api-Key")


def test_a_wrong_key_is_401(client):
    response = client.post(
        "/normalize_merchant",
        SEED,
        content_type="application/json",
        headers={"authorization": "Api-Key abcdefgh.wrong"},
    )
    problem(response, 401)


def test_a_client_id_that_is_not_the_keys_is_403(api):
    problem(api.post("/normalize_merchant", SEED, format="json", HTTP_CLIENT_ID="4321"), 403)
    problem(api.post("/normalize_merchant", {**SEED, "client_id": "4321"}, format="json"), 403)
    assert not NormalizationRequest.objects.exists()


def test_anothers_request_is_404_like_one_that_never_was(api, stranger_api):
    mine = api.post("/v1/normalizations", SEED, format="json")["location"]
    assert problem(stranger_api.get(mine), 404) == problem(
        api.get(f"/v1/normalizations/{uuid4()}"), 404
    )


def test_an_unknown_path_is_a_problem_too(api):
    problem(api.get("/nowhere"), 404)
    problem(api.get("/v1/normalizations/not-a-uuid"), 404)
