"""A row that somebody has locked and forgotten stops no work but its own.

As by ``BEGIN; UPDATE …`` in a psql session.
"""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.conf import settings as configured
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from merchants.catalogue import rulesets
from merchants.models import Batch, NormalizationRequest, Resolution, Rule, Waiter
from merchants.requests import admission, batches, submission, worker
from merchants.requests.resolutions import attempts, claims
from pave.core import lock_limit
from tests.factories import MerchantFactory, WebhookFactory
from tests.merchants.batching import post
from tests.servers import ON_SQLITE
from webhooks.models import Event

BUILT_IN = configured.PAVE_HEURISTIC

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ON_SQLITE, reason="There a row is not locked by itself."),
]


@pytest.fixture(autouse=True)
def impatient(settings, monkeypatch):
    settings.PAVE_HEURISTIC = "tests.merchants.heuristics.FirstWord"
    monkeypatch.setattr(lock_limit, "_TOGETHER_SECONDS", 0.1)
    monkeypatch.setattr(attempts, "LOCK_SECONDS", 0.1)
    cache.clear()


@contextmanager
def locked(row):
    """Hold a row, as an UPDATE does in a transaction that is not ended."""
    table = connection.ops.quote_name(row._meta.db_table)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute(f"BEGIN; UPDATE {table} SET id = id WHERE id = %s", [row.pk])  # noqa: S608 - our own table
            yield
    finally:
        other.close()


@pytest.fixture
def submit(client_1234, stranger):
    def submit(description, client=stranger.client):
        return submission.submit(client=client, fields={"description": description})

    return submit


def run_cluster():
    while admission.admit_batch() or worker.resolve_due():
        pass


def statuses(**conditions):
    requests = NormalizationRequest.objects.filter(**conditions).order_by("id")
    return list(requests.values_list("status", flat=True))


def test_a_batch_does_not_stop_the_answers_of_others(api, submit, client_1234):
    WebhookFactory(client=client_1234.client)
    post(api, [{"description": "NETFLIX 1"}, {"description": "SPOTIFY"}])
    batch = Batch.objects.get()
    of_others = submit("NETFLIX 2")
    with locked(batch):
        run_cluster()
        assert statuses(pk=of_others.pk) == ["completed"]
        assert statuses(batch=batch) == ["completed", "completed"]
        later = timezone.now() + timedelta(minutes=2)
        batches.sweep(now=later)
        batch.refresh_from_db()
        assert (batch.status, batch.completed) == ("processing", 0)
    cache.clear()
    batches.sweep(now=later)
    batch.refresh_from_db()
    assert (batch.status, batch.completed) == ("completed", 2)
    assert Event.objects.filter(type="batch.completed").count() == 1


def test_of_several_batches_only_the_locked_one_is_left_to_the_sweep(api):
    post(api, [{"description": "NETFLIX 1"}])
    post(api, [{"description": "NETFLIX 2"}])
    held = Batch.objects.earliest("id")
    with locked(held):
        run_cluster()
    assert list(Batch.objects.order_by("id").values_list("status", flat=True)) == [
        "processing",
        "completed",
    ]
    batches.sweep(now=timezone.now() + timedelta(minutes=2))
    assert not Batch.objects.open().exists()


def test_a_rule_does_not_stop_the_requests_that_it_answers(submit, settings):
    settings.PAVE_HEURISTIC = BUILT_IN
    rule = Rule.objects.create(
        kind="contains", pattern="blue bottle", merchant=MerchantFactory(name="Blue Bottle")
    )
    rulesets.publish(note="a rule", by="test")
    submit("SQ *BLUE BOTTLE COFFEE OAKLAND CA")
    with locked(rule):
        run_cluster()
    assert statuses() == ["completed"]
    submit("SQ *BLUE BOTTLE COFFEE OAKLAND CA")
    run_cluster()
    rule.refresh_from_db()
    assert rule.hits == 1


def test_a_queued_request_does_not_stop_the_others(submit, client_1234):
    held = submit("NETFLIX 1", client_1234.client)
    others = [submit("NETFLIX 2"), submit("SPOTIFY")]
    with locked(held):
        run_cluster()
        assert statuses(pk__in=[request.pk for request in others]) == ["completed"] * 2
        assert statuses(pk=held.pk) == ["queued"]
    run_cluster()
    assert statuses() == ["completed"] * 3


def test_a_request_that_waits_does_not_stop_the_answers_of_others(submit, client_1234):
    held = submit("NETFLIX 1", client_1234.client)
    submit("NETFLIX 2")
    admission.admit_batch()
    with locked(held):
        run_cluster()
        assert statuses() == ["processing", "completed"]
    make_due()
    worker.resolve_due()
    run_cluster()
    assert statuses() == ["completed", "completed"]


def make_due():
    Waiter.objects.update(due_at=timezone.now())


def test_a_resolution_stops_only_the_requests_that_need_it(submit, client_1234):
    submit("NETFLIX 1", client_1234.client)
    admission.admit_batch()
    needing, other = submit("NETFLIX 2"), submit("SPOTIFY")
    with locked(Resolution.objects.get()):
        run_cluster()
        assert statuses(pk=other.pk) == ["completed"]
        assert statuses(pk=needing.pk) == ["queued"]
    run_cluster()
    assert statuses() == ["completed"] * 3


def test_an_answer_that_is_locked_is_given_after_the_lease(submit, client_1234, settings):
    settings.PAVE_RESOLUTION_LEASE = 0
    submit("NETFLIX 1", client_1234.client)
    submit("SPOTIFY")
    admission.admit_batch()
    held = Resolution.objects.get(key__contains="netflix")
    claimed = claims.claim(worker="w", limit=1, pk=held.pk)
    with locked(held):
        worker.work(claimed)
        run_cluster()
        attempts.sweep()
        assert statuses() == ["processing", "completed"]
    attempts.sweep()
    make_due()
    run_cluster()
    assert statuses() == ["completed"] * 2
