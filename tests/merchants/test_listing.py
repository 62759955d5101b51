from base64 import b64encode
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from merchants.api.views.merchants import _SEARCHES
from merchants.models import Merchant, NormalizationRequest
from merchants.requests import submission
from pave.core.ids import first_id_at, new_id
from tests.api.problems import problem
from tests.factories import (
    AliasFactory,
    DeliveryFactory,
    EventFactory,
    MerchantFactory,
    NormalizationRequestFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

PATH = "/v1/normalizations"


@pytest.fixture
def submit(client_1234):
    def submit(**fields):
        return submission.submit(
            client=client_1234.client, fields={"description": "NETFLIX.COM", **fields}
        )

    return submit


def ids(response):
    assert response.status_code == 200, response.content
    return [one["request_id"] for one in response.json()["data"]]


def test_a_list_has_the_objects_newest_first(api, submit):
    made = [str(submit().pk) for _ in range(3)]
    response = api.get(PATH)
    assert ids(response) == made[::-1]
    assert response.json()["data"][0] == api.get(f"{PATH}/{made[-1]}").json()


def test_pages_stay_right_while_rows_are_added(api, submit):
    made = [str(submit().pk) for _ in range(5)]
    first = api.get(PATH, {"limit": 2}).json()
    submit()
    second = api.get(PATH, {"limit": 2, "cursor": first["next_cursor"]}).json()
    third = api.get(PATH, {"limit": 2, "cursor": second["next_cursor"]}).json()
    seen = [one["request_id"] for page in (first, second, third) for one in page["data"]]
    assert seen == made[::-1]
    assert (first["previous_cursor"], third["next_cursor"]) == (None, None)
    back = api.get(PATH, {"limit": 2, "cursor": third["previous_cursor"]}).json()
    assert back["data"] == second["data"]


def test_filters_by_status_reference_and_batch(api, submit):
    mine = submit(reference="r/1")
    submit(reference="r/10")
    failed = submit()
    NormalizationRequest.objects.filter(pk=failed.pk).update(status="failed")
    assert ids(api.get(PATH, {"reference": "r/1"})) == [str(mine.pk)]
    assert ids(api.get(PATH, {"status": "failed"})) == [str(failed.pk)]
    assert ids(api.get(PATH, {"status": "failed", "reference": "r/1"})) == []
    assert ids(api.get(PATH, {"batch": str(new_id())})) == []


def test_filters_by_time_are_half_open(api, client_1234):
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    rows = [
        NormalizationRequestFactory(
            client=client_1234.client,
            id=first_id_at(noon + timedelta(seconds=seconds)),
            created_at=noon + timedelta(seconds=seconds),
        )
        for seconds in (-1, 0, 1)
    ]
    text = "2026-11-20T12:00:00Z"
    assert ids(api.get(PATH, {"created_after": text})) == [str(rows[2].pk), str(rows[1].pk)]
    assert ids(api.get(PATH, {"created_before": text})) == [str(rows[0].pk)]
    assert ids(api.get(PATH, {"created_after": "2026-11-20T13:00:00+01:00"})) == ids(
        api.get(f"{PATH}?created_after=2026-11-20T13:00:00+01:00")
    )
    assert len(ids(api.get(PATH, {"created_after": "2026-11-20"}))) == 3
    # As many digits as clocks of others have.
    assert len(ids(api.get(PATH, {"created_after": "2026-11-20T00:00:00.123456789Z"}))) == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "done"),
        ("status", ""),
        ("reference", "x" * 256),
        ("reference", "a\x00"),
        ("batch", "7"),
        ("created_after", "yesterday"),
        ("created_after", "2026-11-20T12:00:00"),
        ("created_after", "2026-02-30"),
        ("created_before", "0001-01-01T00:00:00+23:00"),
        ("cursor", "nonsense"),
        ("cursor", "ü"),
        ("cursor", b64encode(b"p=not-an-id").decode()),
        ("cursor", b64encode(b"r=x").decode()),
        ("cursor", "AAAA"),
        ("limit", "0"),
        ("limit", "201"),
        ("limit", "ten"),
        ("limit", "-1"),
        ("unknown", "1"),
    ],
)
def test_a_wrong_parameter_is_named(api, name, value):
    problem(api.get(PATH, {name: value}), 400, name)


@pytest.mark.parametrize("path", [PATH, "/v1/batches", "/v1/webhooks", "/v1/merchants"])
@pytest.mark.parametrize("cursor", [b"o=1&r=1", b"o=1000&r=1", b"o=1000", b"r=1"])
def test_a_cursor_that_somebody_has_made_up_leads_to_an_empty_page(api, path, cursor):
    page = api.get(path, {"cursor": b64encode(cursor).decode()})
    assert page.status_code == 200
    assert page.json()["data"] == []


def test_a_parameter_that_is_there_twice_is_named(api):
    problem(api.get(f"{PATH}?status=failed&status=queued"), 400, "status")


@pytest.mark.parametrize("moment", ["0001-01-01", "9999-12-31T23:59:59Z"])
def test_any_time_can_be_asked_for(api, submit, moment):
    submit()
    query = quote(moment)
    assert len(ids(api.get(f"{PATH}?created_after={query}"))) == (moment < "2")
    assert len(ids(api.get(f"{PATH}?created_before={query}"))) == (moment > "2")


def test_a_page_costs_the_same_number_of_queries_for_any_length(api, submit):
    api.get(PATH)
    costs = []
    for size in (1, 8):
        for _ in range(size):
            request = submit()
            DeliveryFactory(event=EventFactory(client=request.client, subject_id=request.pk))
        with CaptureQueriesContext(connection) as captured:
            page = api.get(PATH).json()["data"]
        assert all(len(one["deliveries"]) == 1 for one in page)
        costs.append(len([one for one in captured if "pave_cache" not in one["sql"]]))
    assert costs == [2, 2]


def test_merchants_are_found_by_name_alias_and_domain(api):
    blue = MerchantFactory(name="Blue Bottle Coffee", website="https://bluebottle.example")
    AliasFactory(merchant=blue, text="BLUEBTL")
    AliasFactory(merchant=blue, text="BLUE BTL CAFE")
    MerchantFactory(name="Aldi")
    MerchantFactory(name="Gone Coffee", active=False)
    for search in ("bottle", "BLUEBTL", "btl", "bluebottle.example"):
        [found] = api.get("/v1/merchants", {"search": search}).json()["data"]
        assert found["id"] == str(blue.pk)
    assert found == api.get(f"/v1/merchants/{blue.pk}").json()
    assert found["aliases"] == ["BLUE BTL CAFE", "BLUEBTL"]
    assert api.get("/v1/merchants", {"search": "%"}).json()["data"] == []


def test_merchants_are_listed_by_name_page_by_page(api):
    for name in ("Spar", "Aldi", "Lidl", "Spar", "Spar"):
        MerchantFactory(name=name)
    names, ids, cursor = [], set(), None
    while True:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = api.get("/v1/merchants", query).json()
        names += [one["name"] for one in page["data"]]
        ids |= {one["id"] for one in page["data"]}
        if not (cursor := page["next_cursor"]):
            break
    assert names == ["Aldi", "Lidl", "Spar", "Spar", "Spar"]
    assert len(ids) == 5


@pytest.mark.parametrize("query", ["cursor=cD0lMDA%3D", "search=%00", "search=", "name=x"])
def test_a_wrong_parameter_of_merchants_is_named(api, query):
    problem(api.get(f"/v1/merchants?{query}"), 400, query.partition("=")[0])


def test_a_merchant_that_is_not_there_is_404(api):
    problem(api.get(f"/v1/merchants/{new_id()}"), 404)


@pytest.mark.parametrize("path", ["/v1/merchants", "/v1/normalizations", "/admin/login/", "/livez"])
def test_a_query_with_very_many_parameters_is_refused(api, path):
    problem(api.get(f"{path}?{'a=1&' * 1001}"), 400)


def test_a_client_has_two_searches_at_once(api, stranger_api, client_1234):
    path = "/v1/merchants?search=netflix"
    with _SEARCHES.slot(client_1234.client.pk), _SEARCHES.slot(client_1234.client.pk):
        problem(api.get(path), 429)
        assert api.get("/v1/merchants").status_code == 200
        assert stranger_api.get(path).status_code == 200
    assert api.get(path).status_code == 200


def test_a_process_makes_four_searches_at_once(api):
    with ExitStack() as others:
        for number in range(4):
            others.enter_context(_SEARCHES.slot(-number))
        problem(api.get("/v1/merchants?search=netflix"), 503)


@pytest.mark.parametrize("sign", ["\u2603", "\u2028"])
def test_a_page_of_large_rows_ends_sooner_and_the_next_one_goes_on(api, submit, sign):
    """It fits into the kernel's buffer, so nobody waits for a client that does not read it."""
    metadata = {f"k{number}": sign * 500 for number in range(16)}
    made = [str(submit(metadata=metadata).pk) for _ in range(40)][::-1]
    seen, pages, url = [], 0, "/v1/normalizations?limit=30"
    while url:
        response = api.get(url)
        assert len(response.content) < 250_000
        page = response.json()
        seen += [shown["request_id"] for shown in page["data"]]
        pages, last, cursor = pages + 1, page["previous_cursor"], page["next_cursor"]
        url = cursor and f"/v1/normalizations?limit=30&cursor={cursor}"
    assert seen == made
    assert pages > 2
    back = page["data"]
    while last is not None:
        page = api.get(f"/v1/normalizations?limit=30&cursor={last}").json()
        back, last = page["data"] + back, page["previous_cursor"]
    assert [shown["request_id"] for shown in back] == made


@pytest.mark.parametrize("names", ["ABB", "ABBB", "AABB", "AAAA", "AABBBBBC", "AAABBB"])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_of_merchants_with_one_name_are_right_in_both_directions(api, names, limit):
    for name in names:
        MerchantFactory(name=f"Shop {name}")

    def page(cursor):
        url = f"/v1/merchants?search=Shop&limit={limit}"
        body = api.get(url + (f"&cursor={cursor}" if cursor else "")).json()
        return [shown["id"] for shown in body["data"]], body

    everything, following, cursor = [], True, None
    while following:
        shown, body = page(cursor)
        everything += shown
        last, cursor = body["previous_cursor"], body["next_cursor"]
        following = cursor
    rows = Merchant.objects.order_by("name", "id").values_list("pk", flat=True)
    assert everything == [str(pk) for pk in rows]
    start = len(everything) - len(shown)
    while last:
        shown, body = page(last)
        assert shown == everything[max(0, start - limit) : start]
        after, _ = page(body["next_cursor"])
        assert after == everything[start : start + limit]
        start, last = start - len(shown), body["previous_cursor"]
    assert start == 0
