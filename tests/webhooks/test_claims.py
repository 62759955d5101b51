"""Claiming due deliveries: fairly, within limits, and at a cost that does not grow."""

import json
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from tests.factories import (
    ClientFactory,
    DeliveryFactory,
    EventFactory,
    SigningSecretFactory,
    WebhookFactory,
)
from webhooks.delivery.claims import Claimer
from webhooks.delivery.fair_share import Capacity, has_due_work, webhooks_with_due
from webhooks.models import Delivery, Event, Webhook, claim_queries

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

on_postgresql = pytest.mark.skipif(
    "connection.vendor != 'postgresql'", reason="it is PostgreSQL's planner"
)


@pytest.fixture(autouse=True)
def no_search_is_slow(monkeypatch):
    """On a busy machine one may be, and then the next claim uses its result again."""
    monkeypatch.setattr("webhooks.delivery.claims.FREE_SEARCH_SECONDS", 60.0)


def make_webhook(*, window=64, steady=True, max_in_flight=64, **fields):
    webhook = WebhookFactory(window=window, steady=steady, max_in_flight=max_in_flight, **fields)
    SigningSecretFactory(webhook=webhook)
    return webhook


def backlog(webhook, count, *, minutes=60, **fields):
    """Deliveries that have been due for a while, made in bulk."""
    due = timezone.now() - timedelta(minutes=minutes)
    events = Event.objects.bulk_create(
        Event(
            client=webhook.client,
            type="normalization.completed",
            subject_id=uuid.uuid4(),
            body=b"{}",
            created_at=due,
        )
        for _ in range(count)
    )
    fields = {"next_attempt_at": due, "created_at": due, **fields}
    return Delivery.objects.bulk_create(
        Delivery(event=event, webhook=webhook, **fields) for event in events
    )


def claim(claimer=None, *, capacity=16, unproven=16, suspect=16, worker="here/1/2", slow=()):
    claimer = claimer or Claimer(worker)
    return claimer.claim(
        now=timezone.now(), capacity=Capacity(capacity, unproven, suspect), slow=slow
    )


def claimed_ids(claims):
    return {claim.delivery_id for claim in claims}


def by_webhook(claims):
    return Counter(claim.webhook_id for claim in claims)


def test_nothing_due_is_nothing_claimed():
    backlog(make_webhook(), 1, next_attempt_at=timezone.now() + timedelta(seconds=5))
    assert claim() == []


def test_a_claim_carries_all_that_is_needed_to_send():
    webhook = make_webhook(headers={"X-Team": "payments"})
    (delivery,) = backlog(webhook, 1)
    (claimed,) = claim()
    assert (claimed.delivery_id, claimed.event_id) == (delivery.pk, delivery.event_id)
    assert (claimed.url, claimed.body, claimed.number) == (webhook.url, b"{}", 1)
    assert claimed.headers == {"X-Team": "payments"}
    assert len(claimed.secrets) == 1
    delivery.refresh_from_db()
    assert (delivery.status, delivery.claimed_by) == ("delivering", "here/1/2")
    assert delivery.attempts == 1
    assert delivery.lease_expires_at > timezone.now()


def test_a_claim_shows_no_secret_when_it_is_printed():
    backlog(make_webhook(headers={"X-Token": "t0ps3cret"}), 1)
    (claimed,) = claim()
    assert "whsec_" not in repr(claimed)
    assert "t0ps3cret" not in repr(claimed)


def test_the_oldest_come_first():
    webhook = make_webhook()
    young = backlog(webhook, 3, minutes=1)
    old = backlog(webhook, 3, minutes=9)
    assert {claimed.delivery_id for claimed in claim(capacity=3)} == {
        delivery.pk for delivery in old
    }
    assert {claimed.delivery_id for claimed in claim(capacity=3)} == {
        delivery.pk for delivery in young
    }


def test_what_is_claimed_is_claimed_once():
    backlog(make_webhook(), 20)
    first, second = claim(capacity=12), claim(capacity=12, worker="there/1/2")
    assert len(first) == 12
    assert len(claimed_ids(first + second)) == 20


def test_never_more_in_flight_than_max_in_flight():
    webhook = make_webhook(max_in_flight=3)
    backlog(webhook, 10)
    assert len(claim(capacity=2)) == 2
    assert len(claim(capacity=10, worker="there/1/2")) == 1
    assert claim() == []


def test_a_new_webhook_gets_one_message():
    webhook = make_webhook(window=1, steady=None)
    backlog(webhook, 10)
    assert len(claim()) == 1


def test_a_backlog_on_one_webhook_leaves_a_share_to_the_others():
    long = make_webhook()
    backlog(long, 200)
    others = [make_webhook() for _ in range(3)]
    for other in others:
        backlog(other, 2, minutes=0)
    shares = by_webhook(claim(capacity=16))
    assert all(shares[other.pk] == 2 for other in others)
    assert shares[long.pk] == 4  # what the others leave is claimed the next time


def test_with_more_webhooks_than_capacity_all_are_served_in_turn():
    webhooks = [make_webhook() for _ in range(12)]
    for webhook in webhooks:
        backlog(webhook, 5)
    claimer = Claimer("here/1/2")
    seen = Counter()
    for _ in range(3):
        seen += by_webhook(claim(claimer, capacity=4))
    assert seen == {webhook.pk: 1 for webhook in webhooks}


def test_a_fresh_delivery_goes_before_the_second_turn_of_a_backlog():
    backlogs = [make_webhook() for _ in range(6)]
    for webhook in backlogs:
        backlog(webhook, 20)
    claimer = Claimer("here/1/2")
    claim(claimer, capacity=3)
    claim(claimer, capacity=3)
    fresh = make_webhook()
    backlog(fresh, 1, minutes=0)
    assert fresh.pk in by_webhook(claim(claimer, capacity=3))


def test_suspect_and_new_webhooks_share_what_is_left_to_them():
    for _ in range(10):
        backlog(make_webhook(steady=False), 3)
        backlog(make_webhook(steady=None), 3)
    healthy = make_webhook()
    backlog(healthy, 4, minutes=0)
    claims = claim(capacity=32, unproven=7, suspect=2)
    assert by_webhook(claims)[healthy.pk] == 4
    kinds = Counter(claim.steady for claim in claims)
    assert (kinds[False], kinds[None]) == (2, 5)


def test_without_capacity_for_them_they_wait():
    backlog(make_webhook(steady=False), 3)
    assert claim(suspect=0) == []
    assert claim(suspect=-3) == []
    assert claim(unproven=0) == []
    backlog(make_webhook(steady=None), 3)
    assert claim(unproven=0) == []
    assert {claimed.steady for claimed in claim(suspect=0)} == {None}


def test_a_webhook_that_keeps_the_dispatcher_waiting_counts_as_suspect():
    webhook = make_webhook()
    backlog(webhook, 3)
    assert claim(suspect=0, slow={webhook.pk}) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"enabled": False},
        {"deleted_at": timezone.now()},
        {"paused_until": timezone.now() + timedelta(hours=1)},
    ],
)
def test_what_is_disabled_deleted_or_paused_gets_nothing_and_loses_no_attempt(fields):
    webhook = make_webhook(**fields)
    backlog(webhook, 3)
    assert claim() == []
    assert not has_due_work(timezone.now())
    assert set(Delivery.objects.values_list("status", "attempts")) == {("pending", 0)}


def test_a_half_open_breaker_lets_one_probe_through():
    now = timezone.now()
    webhook = make_webhook(
        breaker_failures=3, breaker_opened_at=now, paused_until=now - timedelta(seconds=1)
    )
    assert webhook.breaker == "half-open"
    backlog(webhook, 10)
    assert len(claim()) == 1
    assert claim() == []


@pytest.mark.parametrize("trigger", ["manual", "recover"])
def test_what_was_requested_goes_to_a_disabled_webhook(trigger):
    webhook = make_webhook(enabled=False)
    requested, _ = backlog(webhook, 2)
    Delivery.objects.filter(pk=requested.pk).update(trigger=trigger)
    assert has_due_work(timezone.now())
    (claimed,) = claim()
    assert (claimed.delivery_id, claimed.trigger) == (requested.pk, trigger)


def test_what_is_retried_by_hand_goes_to_a_paused_webhook_and_a_recovery_waits():
    webhook = make_webhook(paused_until=timezone.now() + timedelta(hours=1))
    by_hand, recovered = backlog(webhook, 2)
    Delivery.objects.filter(pk=by_hand.pk).update(trigger="manual")
    Delivery.objects.filter(pk=recovered.pk).update(trigger="recover")
    (claimed,) = claim()
    assert claimed.delivery_id == by_hand.pk


def test_expired_secrets_do_not_sign():
    webhook = make_webhook()
    now = timezone.now()
    SigningSecretFactory(webhook=webhook, expires_at=now - timedelta(seconds=1))
    SigningSecretFactory(webhook=webhook, expires_at=now + timedelta(hours=1))
    backlog(webhook, 1)
    assert len(claim()[0].secrets) == 2


def test_webhooks_with_nothing_due_are_not_part_of_the_search():
    for _ in range(5):
        make_webhook()
    busy = make_webhook()
    backlog(busy, 2)
    assert [webhook.pk for webhook in webhooks_with_due(timezone.now())] == [busy.pk]


def test_a_claim_costs_the_same_queries_for_one_webhook_and_for_many(
    django_assert_max_num_queries,
):
    if connection.vendor == "sqlite":
        pytest.skip("on SQLite, where a query costs no round trip, there is one for each webhook")
    for _ in range(20):
        backlog(make_webhook(), 5)
    with django_assert_max_num_queries(14):
        assert len(claim(capacity=64, unproven=64)) == 64


def plan(query, params=()):
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {query}", params)
        (explained,) = cursor.fetchone()
    return explained if isinstance(explained, list) else json.loads(explained)


def scans(node):
    """Every scan of the deliveries in a plan: its kind and its index."""
    if isinstance(node, list):
        return [scan for part in node for scan in scans(part)]
    if not isinstance(node, dict):
        return []
    own = []
    if node.get("Relation Name") == "webhooks_delivery":
        own = [(node["Node Type"], node.get("Index Name"))]
    return own + [scan for part in node.values() for scan in scans(part)]


@pytest.fixture
def many_finished_rows():
    """A table in which few rows are due, with statistics that show it."""
    webhooks = [make_webhook() for _ in range(20)]
    for webhook in webhooks:
        backlog(webhook, 500, status="succeeded", next_attempt_at=None)
    for webhook in webhooks[:5]:
        backlog(webhook, 40)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE webhooks_delivery")
        cursor.execute("ANALYZE webhooks_webhook")
    return webhooks


@on_postgresql
def test_the_claim_finds_all_by_small_partial_indexes(many_finished_rows):
    now = timezone.now()
    pks = [webhook.pk for webhook in many_finished_rows]
    index = ("Index Scan", "Index Only Scan")

    search = str(
        Webhook.objects.filter(pk__in=claim_queries.webhooks_having(claim_queries.PENDING))
        .values("pk")
        .query
    )
    search_scans = scans(plan(search))
    assert search_scans
    assert {name for _, name in search_scans} == {"delivery_due"}
    assert all(kind in index for kind, _ in search_scans)

    lateral_scans = scans(
        plan(claim_queries.lateral_query(claim_queries.PENDING), [pks, [4] * len(pks), now])
    )
    assert lateral_scans == [(lateral_scans[0][0], "delivery_due")]
    assert lateral_scans[0][0] in index

    on_demand = str(
        Webhook.objects.filter(pk__in=claim_queries.webhooks_having(claim_queries.ON_DEMAND))
        .values("pk")
        .query
    )
    assert {name for _, name in scans(plan(on_demand))} == {"delivery_asked_for"}

    due, params = Delivery.objects.due(now)[:1].query.sql_with_params()
    ((_, name),) = scans(plan(due, params))
    assert name in ("delivery_next", "delivery_due")

    in_flight, params = Delivery.objects.in_flight().query.sql_with_params()
    assert scans(plan(in_flight, params))[0][1] == "delivery_under_way"

    held = str(
        Webhook.objects.filter(
            pk__in=claim_queries.webhooks_having(claim_queries.HELD, order="webhook_id, status, id")
        )
        .values("pk")
        .query
    )
    assert {name for _, name in scans(plan(held))} == {"delivery_unsent"}


@on_postgresql
def test_the_search_hops_over_backlogs(many_finished_rows):
    """It reads as many rows as there are webhooks with work, not as there are deliveries."""
    search = str(
        Webhook.objects.filter(pk__in=claim_queries.webhooks_having(claim_queries.PENDING))
        .values("pk")
        .query
    )
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {search}")
        (explained,) = cursor.fetchone()
    explained = explained if isinstance(explained, list) else json.loads(explained)

    def rows_read(node):
        if isinstance(node, list):
            return sum(map(rows_read, node))
        if not isinstance(node, dict):
            return 0
        own = 0
        if node.get("Relation Name") == "webhooks_delivery":
            own = node["Actual Rows"] * node["Actual Loops"]
        return own + sum(map(rows_read, node.values()))

    assert rows_read(explained) <= 10  # of 10,200, for five webhooks


def test_deliveries_of_one_client_do_not_leak_into_the_claim_of_another():
    first, second = (make_webhook(client=ClientFactory()) for _ in range(2))
    for webhook in (first, second):
        DeliveryFactory(webhook=webhook, event=EventFactory(client=webhook.client))
    for claimed in claim():
        assert Event.objects.get(pk=claimed.event_id).client_id == (
            Webhook.objects.get(pk=claimed.webhook_id).client_id
        )


def test_a_client_with_many_webhooks_has_no_larger_share_than_one_that_has_one():
    many = ClientFactory()
    for _ in range(20):
        backlog(make_webhook(client=many), 10)
    single = make_webhook()
    backlog(single, 30, minutes=1)
    claimer, claimed = Claimer("w"), Counter()
    for _ in range(10):
        for claim in claimer.claim(now=timezone.now(), capacity=Capacity(5, 5, 5)):
            claimed[claim.webhook_id == single.pk] += 1
    assert abs(claimed[True] - claimed[False]) <= 2, claimed


def test_a_client_takes_no_more_than_its_share_of_a_dispatcher():
    many = ClientFactory()
    for _ in range(5):
        backlog(make_webhook(client=many), 10)
    claimer, capacity = Claimer("w"), Capacity(20, 20, 20)
    claims = claimer.claim(
        now=timezone.now(), capacity=capacity, capacity_of=lambda client: Capacity(3, 3, 3)
    )
    assert len(claims) == 3
    backlog(make_webhook(), 10)
    remaining = {many.pk: Capacity(0, 0, 0)}
    claims = claimer.claim(
        now=timezone.now(),
        capacity=capacity,
        capacity_of=lambda client: remaining.get(client, capacity),
    )
    assert len(claims) == 10
    assert many.pk not in {claim.client_id for claim in claims}


def test_a_client_takes_no_more_than_its_share_of_the_capacity_for_slow_endpoints():
    slow, others_slow = ClientFactory(), ClientFactory()
    for _ in range(3):
        backlog(make_webhook(client=slow, steady=False), 10)
    backlog(make_webhook(client=others_slow, steady=False), 10, minutes=1)
    claims = Claimer("w").claim(
        now=timezone.now(),
        capacity=Capacity(20, 8, 8),
        capacity_of=lambda client: Capacity(15, 6, 6),
    )
    claimed = Counter(claim.client_id for claim in claims)
    assert claimed == {slow.pk: 4, others_slow.pk: 4}
