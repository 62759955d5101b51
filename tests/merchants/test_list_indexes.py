"""What lists are read by on PostgreSQL, however many rows there are."""

import re

import pytest
from django.db import connection
from django.utils import timezone

from merchants.api import backpressure
from merchants.models import Batch, NormalizationRequest, Resolution, Waiter
from merchants.requests import fair_share
from tests.factories import ClientFactory, ResolutionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def many_requests(client_1234):
    """Two clients' requests, mostly done and in several batches, as the planner knows them."""
    client, other, now = client_1234.client, ClientFactory(), timezone.now()
    batches = Batch.objects.bulk_create(Batch(client=client, created_at=now) for _ in range(20))
    rare = {0: "failed", 1: "canceled", 2: "queued"}
    NormalizationRequest.objects.bulk_create(
        NormalizationRequest(
            client=client if number // 400 % 10 == 0 else other,
            created_at=now,
            description=f"SHOP {number}",
            reference=f"t-{number}",
            status=rare.get(number % 200, "completed"),
            batch=batches[number // 400],
        )
        for number in range(8000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE merchants_normalizationrequest")
    return batches


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({}, "request_of_client"),
        ({"status": "failed"}, "request_not_completed"),
        ({"status": "canceled"}, "request_not_completed"),
        ({"status": "queued"}, "request_not_completed"),
        ({"reference": "t-1"}, "request_reference_newest"),
        ({"batch": 0}, "request_of_batch_newest"),
        ({"batch": 0, "status": "completed"}, "request_of_batch_newest"),
    ],
)
def test_a_list_is_read_by_an_index(client_1234, many_requests, filters, index):
    if "batch" in filters:
        filters = {**filters, "batch": many_requests[0]}
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
    plan = (
        NormalizationRequest.objects.for_client(client_1234.client).filter(**filters)[:10].explain()
    )
    assert re.search(index, plan), plan


@pytest.mark.parametrize("which", ["single", "batched"])
def test_a_backlog_is_taken_in_the_order_of_its_index(client_1234, which):
    """Neither sorted for every batch of it, nor looked for among all that is finished."""
    client, now = client_1234.client, timezone.now()
    batch = Batch.objects.create(client=client, created_at=now)
    NormalizationRequest.objects.bulk_create(
        NormalizationRequest(
            client=client,
            created_at=now,
            description=f"SHOP {number}",
            status="completed" if number < 3000 else "queued",
            batch=batch if number % 2 else None,
        )
        for number in range(6000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE merchants_normalizationrequest")

    queued = NormalizationRequest.objects.queued().filter(client=client)
    plan = getattr(queued, which)()[:200].explain()

    assert "request_queued" in plan, plan
    assert "Sort" not in plan, plan


def test_a_claim_reads_no_more_rows_of_a_backlog(client_1234):
    client = client_1234.client
    resolutions = ResolutionFactory.build_batch(3000, ruleset=ResolutionFactory().ruleset)
    Resolution.objects.bulk_create(resolutions)
    now = timezone.now()
    request = NormalizationRequest.objects.create(client=client, description="X", created_at=now)
    Waiter.objects.bulk_create(
        Waiter(resolution=resolution, client=client, request=request, since=now, due_at=now)
        for resolution in resolutions
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    due = Waiter.objects.due(now).of_client(client.pk).select_related("resolution")
    plan = due[:64].explain()
    assert "waiter_turn" in plan, plan
    assert "Sort" not in plan, plan


@pytest.mark.parametrize("canceling", [False, True])
def test_a_claim_reads_nothing_of_what_is_finished(client_1234, canceling):
    """However common the statistics say that queued ones are, and if no single one is queued."""
    client, now = client_1234.client, timezone.now()
    batches = Batch.objects.bulk_create(
        Batch(client=client, created_at=now, accepted=1000) for _ in range(3)
    )
    NormalizationRequest.objects.bulk_create(
        NormalizationRequest(
            client=client,
            created_at=now,
            description=f"SHOP {number}",
            status="completed" if number < 6000 else "queued",
            batch=batches[number % 3] if number > 3000 else None,
        )
        for number in range(9000)
    )
    if canceling:
        Batch.objects.filter(pk=batches[0].pk).update(cancel_requested_at=now)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    plans: list[str] = []

    def explained(execute, sql, params, many, context):
        if "merchants_normalizationrequest" in sql:
            execute(f"EXPLAIN {sql}", params, many, context)
            plans.append("\n".join(line for (line,) in context["cursor"].fetchall()))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explained):
        assert fair_share.is_any_admissible()
        ids, more = fair_share.next_queued(200)
        backpressure.depth(50, client=client)

    assert len(ids) == 200
    assert more
    assert len(plans) >= 3
    for plan in plans:
        read = re.findall(r"(?:Scan|Backward) using (\w+)|(Seq Scan on merchants_n\w+)", plan)
        assert read, plan
        assert {name for one in read for name in one if name} <= {
            "request_queued_of_client",
            "batch_open",
            "merchants_batch_pkey",
        }, plan
