from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, transaction
from django.db.models import QuerySet
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from merchants.models import Batch, NormalizationRequest
from merchants.requests import submission, usage
from pave.api.views import GENERAL
from pave.clients import api_keys, quotas, rate_limit
from pave.clients.models import Client, MonthlyUse
from tests.api.problems import problem
from tests.factories import WebhookFactory
from tests.locks import wait_until_somebody_waits
from tests.servers import ON_SQLITE

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

BODY = {"description": "NETFLIX.COM"}


@pytest.fixture
def limited(client_1234):
    def limited(**limits):
        for name, value in limits.items():
            setattr(client_1234.client, name, value)
        client_1234.client.save()
        api_keys.drop_cached_keys(client=client_1234.client)
        return client_1234.client

    return limited


def test_without_a_limit_nothing_is_said_of_one(api):
    response = api.get("/v1/usage")
    assert "ratelimit" not in response
    assert response.json()["quota"] == {"limit": None, "used": 0, "remaining": None}
    assert response.json()["rate"] == {"requests_per_minute": None, "burst": None}


def test_beyond_the_rate_it_is_429_with_the_fields(api, limited):
    limited(requests_per_minute=60, burst=3)
    answers = [api.get("/v1/usage") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer["ratelimit"].split(";t=")[0] for answer in answers] == [
        '"rate";r=2',
        '"rate";r=1',
        '"rate";r=0',
        '"rate";r=0',
    ]
    assert {answer["ratelimit-policy"] for answer in answers} == {'"rate";q=3;w=3'}
    problem(answers[3], 429)
    assert answers[3]["retry-after"] == "1"


def test_a_token_comes_back_with_time(limited):
    client = limited(requests_per_minute=6000, burst=2)
    taken = [rate_limit.take(client=client).allowed for _ in range(2)]
    while not rate_limit.take(client=client).allowed:  # one comes in 10 ms
        pass
    assert taken == [True, True]


def test_each_client_has_a_bucket_of_its_own(limited, stranger):
    client = limited(requests_per_minute=1, burst=1)
    stranger.client.requests_per_minute = 1
    assert rate_limit.take(client=client).allowed
    assert rate_limit.take(client=stranger.client).allowed
    assert not rate_limit.take(client=client).allowed


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kept_in", ["the cache", "a row"])
def test_no_token_is_taken_twice_by_many_at_once(limited, kept_in, settings):
    if kept_in == "a row":
        settings.REDIS_URL = ""
    client = limited(requests_per_minute=1, burst=20)

    def take(_):
        try:
            return rate_limit.take(client=client).allowed
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(take, range(40))) == 20


def test_a_redis_that_is_away_limits_nobody(api, limited, settings, monkeypatch):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    def away(alias):
        raise rate_limit.redis.ConnectionError

    monkeypatch.setattr(rate_limit, "get_redis_connection", away)
    limited(requests_per_minute=1, burst=1)
    assert [api.get("/v1/usage").status_code for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize("route", ["/normalize_merchant", "/v1/normalizations"])
def test_beyond_the_quota_it_is_429_until_the_month_ends(api, limited, route):
    limited(monthly_quota=2)
    with time_machine.travel(datetime(2026, 11, 29, 12, tzinfo=UTC), tick=False):
        assert api.post(route, BODY, format="json").status_code == 202
        assert api.post(route, BODY, format="json").status_code == 202
        refused = api.post(route, BODY, format="json")
        problem(refused, 429)
        assert refused["retry-after"] == str(36 * 3600)
        assert refused["ratelimit"] == f'"quota";r=0;t={36 * 3600}'
        assert refused["ratelimit-policy"] == f'"quota";q=2;w={30 * 86400}'
        assert api.get("/v1/usage").json()["quota"] == {"limit": 2, "used": 2, "remaining": 0}
    assert NormalizationRequest.objects.count() == 2
    with time_machine.travel(datetime(2026, 12, 1, tzinfo=UTC), tick=False):
        assert api.post(route, BODY, format="json").status_code == 202


def test_what_was_sent_before_the_quota_was_set_counts(api, limited):
    for _ in range(3):
        api.post("/v1/normalizations", BODY, format="json")
    limited(monthly_quota=4)
    answers = [api.post("/v1/normalizations", BODY, format="json") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 429]


def test_what_was_sent_before_the_quota_was_set_is_shown_as_used(api, limited):
    for _ in range(3):
        api.post("/v1/normalizations", BODY, format="json")
    limited(monthly_quota=5)
    usage = api.get("/v1/usage").json()
    assert usage["quota"] == {"limit": 5, "used": 3, "remaining": 2}


def test_what_was_sent_between_two_quotas_counts(api, limited, superuser, client_1234):
    page = reverse("admin:clients_client_change", args=[client_1234.client.pk])
    for quota, number in (("100", 1), ("", 5), ("7", 1)):
        superuser.post(page, {"share": "1", "monthly_quota": quota})
        for _ in range(number):
            assert api.post("/v1/normalizations", BODY, format="json").status_code == 202
    assert api.get("/v1/usage").json()["quota"] == {"limit": 7, "used": 7, "remaining": 0}
    assert api.post("/v1/normalizations", BODY, format="json").status_code == 429


@pytest.mark.skipif(ON_SQLITE, reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_a_quota_is_given_beside_the_clients_posts(client_1234, superuser):
    client = client_1234.client
    now = timezone.now()
    MonthlyUse.objects.create(client=client, month=now.date().replace(day=1), used=0)
    page = reverse("admin:clients_client_change", args=[client.pk])

    def give():
        try:
            return superuser.post(page, {"share": "1", "monthly_quota": "5"}).status_code
        finally:
            connection.close()

    client.monthly_quota = 9  # as a process knows it that has read it before it was taken away
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            usage.charge(client, 1, now=now)
            NormalizationRequest.objects.create(client=client, created_at=now, description="A")
            given = pool.submit(give)
            wait_until_somebody_waits()
        assert given.result(30) == 302
    assert Client.objects.get().monthly_quota == 5


def test_a_post_is_taken_whose_months_count_another_begins(limited, monkeypatch):
    client = limited(monthly_quota=5)
    exists = QuerySet.exists

    def begun_meanwhile(rows):
        if rows.model is MonthlyUse:
            month = timezone.now().date().replace(day=1)
            MonthlyUse.objects.get_or_create(client=client, month=month, defaults={"used": 1})
        return exists(rows)

    monkeypatch.setattr(QuerySet, "exists", begun_meanwhile)
    submission.submit(client=client, fields=BODY)
    assert MonthlyUse.objects.get().used == 2


def test_a_batch_that_is_too_large_for_a_quota_that_is_given_meanwhile_is_429(api, monkeypatch):
    save = Batch.save

    def give(batch, **kwargs):
        Client.objects.update(monthly_quota=2)
        save(batch, **kwargs)

    monkeypatch.setattr(Batch, "save", give)
    refused = api.post("/v1/batches", {"transactions": [BODY] * 3}, format="json")
    assert "The quota of 2 transactions" in problem(refused, 429)["detail"]
    assert not NormalizationRequest.objects.exists()


def test_a_request_that_fails_costs_nothing_of_the_quota(limited, monkeypatch):
    client = limited(monthly_quota=5)
    submission.submit(client=client, fields=BODY)
    monkeypatch.setattr(NormalizationRequest, "save", lambda self, **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        submission.submit(client=client, fields=BODY)
    assert MonthlyUse.objects.get().used == 1


@pytest.mark.django_db(transaction=True)
def test_many_at_once_do_not_exceed_the_quota(limited):
    client = limited(monthly_quota=10)

    def submit(_):
        try:
            submission.submit(client=client, fields=BODY)
        except quotas.QuotaExceeded:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(submit, range(20))) == 10
    assert NormalizationRequest.objects.count() == 10


def test_usage_counts_the_month_by_status(api, client_1234):
    for status in ("completed", "completed", "failed", "queued"):
        request = submission.submit(client=client_1234.client, fields=BODY)
        NormalizationRequest.objects.filter(pk=request.pk).update(status=status)
    body = api.get("/v1/usage").json()
    assert body["normalizations"] == {
        "total": 4,
        "queued": 1,
        "processing": 0,
        "completed": 2,
        "failed": 1,
        "canceled": 0,
    }
    start, end = (datetime.fromisoformat(body["period"][name]) for name in ("start", "end"))
    assert start <= timezone.now() < end
    assert start.day == end.day == 1


@pytest.mark.parametrize("month", range(1, 13))
def test_a_month_ends_where_the_next_begins(month):
    start, end = quotas.month_of(datetime(2026, month, 15, 5, tzinfo=UTC))
    assert quotas.month_of(end - timedelta(microseconds=1)) == (start, end)
    assert quotas.month_of(end)[0] == end


@pytest.mark.parametrize(
    "path",
    [
        "/v1/normalizations",
        "/v1/batches",
        "/v1/batches/{batch}",
        "/v1/webhooks",
        "/v1/webhooks/{webhook}",
        "/v1/webhooks/{webhook}/deliveries",
        "/v1/merchants",
        "/v1/usage",
    ],
)
def test_a_request_counts_as_in_progress_until_its_answer_is_sent(client_1234, path):
    """Whoever reads slowly holds memory, and a thread, until then."""
    client = client_1234.client
    batch = Batch.objects.create(client=client, created_at=timezone.now())
    path = path.format(batch=batch.pk, webhook=WebhookFactory(client=client).pk)
    key = f"Api-Key {client_1234.key}"
    response = WSGIHandler().get_response(RequestFactory(HTTP_AUTHORIZATION=key).get(path))
    try:
        assert response.status_code == 200
        assert GENERAL._callers == [client.pk]
    finally:
        response.close()
    assert GENERAL._callers == []
