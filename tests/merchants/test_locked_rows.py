"""A row that somebody has locked and forgotten stops no work but its own.

As by ``BEGIN; UPDATE …`` in a psql session.
"""

import time
from datetime import timedelta

import pytest
from django.apps import apps
from django.conf import settings as configured
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from merchants.catalogue import rulesets
from merchants.models import (
    AdmissionClaim,
    Batch,
    HeuristicUse,
    NormalizationRequest,
    Resolution,
    Rule,
    Waiter,
)
from merchants.requests import (
    admission,
    admission_claims,
    batches,
    cancellation,
    fair_share,
    worker,
)
from merchants.requests.resolutions import attempts, claims
from pave.clients.models import Client
from pave.core.database import lock_limit, locked_rows
from tests.factories import ClientFactory, MerchantFactory, SigningSecretFactory, WebhookFactory
from tests.locks import FOR_UPDATE, locked
from tests.merchants.batching import post
from tests.merchants.cluster import make_due, run_cluster, statuses
from tests.servers import ON_SQLITE
from webhooks.models import Delivery, Event

BUILT_IN = configured.PAVE_HEURISTIC

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("impatient"),
    pytest.mark.skipif(ON_SQLITE, reason="There a row is not locked by itself."),
]


def tables_with(client):
    """Return the client's rows of each table that has some, or all where none says whose it is."""
    tables = []
    for app in ("clients", "merchants", "operations", "staff", "webhooks"):
        for model in apps.get_app_config(app).get_models():
            names = {field.name for field in model._meta.get_fields()}
            of_client = {"pk": client.pk} if model is Client else {}
            for name in ("client", "webhook__client"):
                if model is not Resolution and name.partition("__")[0] in names:
                    of_client = {name: client}
            tables.append(model._default_manager.filter(**of_client))
    return sorted(filter(list, tables), key=lambda rows: rows.model.__name__)


@pytest.fixture
def leave_unfinished(submit_for, api, client_1234):
    """Return a function that leaves something of client 1234 in each state; it returns a claim."""

    def leave_unfinished(number):
        client = client_1234.client
        fair_share.charge(client.pk, 1)
        submit_for(f"CLAIMED-{number}", client)
        admission.admit_batch()  # by itself, so that it is the first to be claimed
        post(api, [{"description": f"ROW-{number}"}])
        submit_for(f"WAITING-{number} ONE", client)
        admission.admit_batch()
        [claimed] = claims.claim(worker="w")
        suspect = submit_for(f"SUSPECT-{number}", client)
        suspect.admission_attempts = 1
        suspect.save()
        return claimed

    return leave_unfinished


def test_what_a_client_has_in_any_table_stops_nobody_else(
    submit_for, client_1234, stranger, receiver, send, leave_unfinished
):
    """Whatever tables are added, and whatever is done with them."""
    one, other = client_1234.client, stranger.client
    for client in (one, other):
        SigningSecretFactory(webhook=WebhookFactory(client=client, url=receiver.url("/hook")))
    submit_for("SPOTIFY")
    run_cluster()
    send()
    worker.work([leave_unfinished("first")])
    tables = tables_with(one)
    assert {Batch, HeuristicUse, NormalizationRequest, Resolution, Waiter, Delivery} <= {
        rows.model for rows in tables
    }
    for number, rows in enumerate(tables):
        claimed = leave_unfinished(number)
        same = submit_for(f"WAITING-{number} OF THE OTHER")
        admission.admit_batch()
        with locked(*rows.all()):
            submit_for(f"WAITING-{number} TWO", one)
            submit_for("SPOTIFY")
            submit_for(f"UNHEARD-OF-{number}")
            admission.admit_suspects()
            admission.admit_batch()
            worker.work([claimed])
            run_cluster()
            send()
            left = NormalizationRequest.objects.filter(client=other).exclude(status="completed")
            needing = {same.pk} if rows.model is Resolution else set()
            assert set(left.values_list("pk", flat=True)) == needing, rows.model
            sent = Delivery.objects.filter(webhook__client=other)
            assert set(sent.values_list("status", flat=True)) == {"succeeded"}, rows.model
        run_cluster()
        assert not left.exists()


@pytest.mark.parametrize("by", [FOR_UPDATE, "DELETE FROM {table} WHERE {key} = %s"])
def test_a_webhook_that_can_get_no_event_stops_only_its_client(
    submit_for, client_1234, stranger, by
):
    one, other = client_1234.client, stranger.client
    for client in (one, other):
        submit_for("SPOTIFY", client)
    run_cluster()
    webhook = WebhookFactory(client=one)
    WebhookFactory(client=other)
    with locked(webhook, by=by):
        for client in (one, other):
            submit_for("SPOTIFY", client)
            submit_for(f"NETFLIX {client.pk}", client)
        submit_for("HULU", one)
        suspect = submit_for("SPOTIFY", one)
        suspect.admission_attempts = 1
        suspect.save()
        run_cluster()
        admission.admit_suspects()
        assert statuses(client=other) == ["completed"] * 3
        assert statuses(client=one)[0] == "completed"
        assert "completed" not in statuses(client=one)[1:]
        suspect.refresh_from_db()
        assert suspect.admission_attempts == 1
    make_due()
    for _ in range(3):
        worker.resolve_due()
        run_cluster()
    admission.admit_suspects()
    assert set(statuses()) == {"completed"}


def test_a_client_that_is_locked_is_waited_for_by_itself_from_then_on(
    submit_for, client_1234, stranger, monkeypatch
):
    monkeypatch.setattr(admission_claims, "LOCKED_CLIENTS", locked_rows.LockedRows(0.5))
    submit_for("SPOTIFY")
    run_cluster()
    others = [stranger.client, *ClientFactory.create_batch(10)]
    with locked(WebhookFactory(client=client_1234.client), by=FOR_UPDATE):
        transactions = []
        for _ in range(3):
            left_alone = bool(admission_claims.LOCKED_CLIENTS.current())
            for client in (client_1234.client, *others):
                submit_for("SPOTIFY", client)
            with CaptureQueriesContext(connection) as asked:
                assert admission.admit_batch() == len(others)
            limits = sum("set_config('lock_timeout'" in one["sql"] for one in asked)
            transactions.append((left_alone, limits))
            if not left_alone:
                continue
            while admission_claims.LOCKED_CLIENTS.current():
                time.sleep(0.02)
        # All at once and each by itself; without the locked one; all others, and then that one.
        assert transactions == [(False, 13), (True, 1), (False, 2)]
    assert set(statuses(client__in=others)) == {"completed"}
    assert "completed" not in statuses(client=client_1234.client)
    while admission_claims.is_any_locked():
        time.sleep(0.02)
    run_cluster()
    assert set(statuses()) == {"completed"}


def test_many_locked_rules_are_not_waited_for_again_and_again(submit_for, monkeypatch, settings):
    monkeypatch.setattr(locked_rows, "FIRST_PAUSE", 60)
    monkeypatch.setattr(locked_rows, "LONGEST_PAUSE", 60)
    monkeypatch.setattr(locked_rows, "_not_updated", locked_rows.LockedRows())
    settings.PAVE_HEURISTIC = BUILT_IN
    words = ("quuxberry", "blue bottle", "zanzibarra")
    for word in words:
        Rule.objects.create(kind="contains", pattern=word, merchant=MerchantFactory())
    rulesets.publish(note="rules", by="test")
    tries = []
    with locked(*Rule.objects.all()):
        for _ in range(2):
            for word in words:
                submit_for(f"{word} 123")
            with CaptureQueriesContext(connection) as asked:
                run_cluster()
            tries.append(sum('UPDATE "merchants_rule"' in one["sql"] for one in asked))
    assert set(statuses()) == {"completed"}
    assert tries[1] == 0


def test_who_cancels_the_last_row_of_a_batch_waits_for_no_webhook(
    api, submit_for, client_1234, monkeypatch
):
    monkeypatch.setattr(cancellation, "CANCEL_SECONDS", 0.2)
    post(api, [{"description": "SPOTIFY"}])
    row = NormalizationRequest.objects.get()
    other = submit_for("SPOTIFY")
    admission.admit_batch()
    webhook = WebhookFactory(client=client_1234.client)
    with locked(webhook, by=FOR_UPDATE):
        assert api.post(f"/v1/normalizations/{row.pk}/cancel").status_code == 409
        assert statuses(pk=row.pk) == ["processing"]
        run_cluster()
        assert statuses(pk=other.pk) == ["completed"]


def test_a_batch_does_not_stop_the_answers_of_others(api, submit_for, client_1234):
    WebhookFactory(client=client_1234.client)
    post(api, [{"description": "NETFLIX 1"}, {"description": "SPOTIFY"}])
    batch = Batch.objects.get()
    of_others = submit_for("NETFLIX 2")
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


def test_a_rule_does_not_stop_the_requests_that_it_answers(submit_for, settings):
    settings.PAVE_HEURISTIC = BUILT_IN
    rule = Rule.objects.create(
        kind="contains", pattern="blue bottle", merchant=MerchantFactory(name="Blue Bottle")
    )
    rulesets.publish(note="a rule", by="test")
    submit_for("SQ *BLUE BOTTLE COFFEE OAKLAND CA")
    with locked(rule):
        run_cluster()
    assert statuses() == ["completed"]
    submit_for("SQ *BLUE BOTTLE COFFEE OAKLAND CA")
    run_cluster()
    rule.refresh_from_db()
    assert rule.hits == 1


def test_a_queued_request_does_not_stop_the_others(submit_for, client_1234):
    held = submit_for("NETFLIX 1", client_1234.client)
    others = [submit_for("NETFLIX 2"), submit_for("SPOTIFY")]
    with locked(held):
        run_cluster()
        assert statuses(pk__in=[request.pk for request in others]) == ["completed"] * 2
        assert statuses(pk=held.pk) == ["queued"]
    run_cluster()
    assert statuses() == ["completed"] * 3


def test_many_that_are_locked_keep_back_no_other_of_their_client(api, monkeypatch):
    monkeypatch.setattr(locked_rows, "FIRST_PAUSE", 60)
    monkeypatch.setattr(locked_rows, "LONGEST_PAUSE", 60)
    post(api, [{"description": f"NETFLIX {number}"} for number in range(5)])
    post(api, [{"description": "SPOTIFY"}])
    held, other = Batch.objects.order_by("id")
    with locked(*held.requests.all()):
        examined = [admission.admit_batch(limit=2) for _ in range(4)]
    assert examined == [0, 0, 1, 0]
    assert statuses(batch=other) == ["processing"]


def test_a_request_that_is_admitted_alone_loses_no_attempt(submit_for, client_1234, monkeypatch):
    submit_for("NETFLIX 1", client_1234.client)
    admission.admit_batch()
    suspect = submit_for("NETFLIX 2")
    suspect.admission_attempts = 1
    suspect.save()
    monkeypatch.setattr(locked_rows, "FIRST_PAUSE", 60)
    monkeypatch.setattr(locked_rows, "LONGEST_PAUSE", 60)
    with locked(Resolution.objects.get()):
        for _ in range(admission.MAX_ALONE + 1):
            monkeypatch.setattr(admission_claims, "LOCKED", locked_rows.LockedRows())
            assert admission.admit_suspects() == 1
    suspect.refresh_from_db()
    assert (suspect.status, suspect.admission_attempts) == ("queued", 1)


def test_a_request_of_an_older_ruleset_stops_only_itself(submit_for, client_1234, settings):
    settings.PAVE_HEURISTIC = BUILT_IN
    merchant = MerchantFactory(name="Blue Bottle")
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=merchant)
    rulesets.publish(note="a rule", by="test")
    held = submit_for("SQ *BLUE BOTTLE COFFEE OAKLAND CA", client_1234.client)
    submit_for("SQ *BLUE BOTTLE COFFEE OAKLAND CA")
    admission.admit_batch()
    Rule.objects.create(kind="contains", pattern="river street", merchant=merchant)
    rulesets.publish(note="another", by="test")
    submit_for("UNKNOWNSHOPAX WIEN")
    with locked(held):
        run_cluster()
        assert statuses() == ["processing", "completed", "completed"]
    attempts.sweep(now=timezone.now() + timedelta(minutes=5))
    make_due()
    worker.resolve_due()  # requeues it
    run_cluster()
    assert statuses() == ["completed"] * 3


def test_a_claim_of_a_dead_worker_stops_no_other(submit_for, client_1234):
    submit_for("NETFLIX", client_1234.client)
    admission_claims.claim_queued(1)
    submit_for("SPOTIFY")
    admission_claims.claim_queued(1)
    with locked(AdmissionClaim.objects.first()):
        admission_claims.requeue(worker="")
        admission.admit_suspects()
        assert statuses() == ["queued", "processing"]


def test_the_use_of_a_client_stops_no_admission_and_no_answer(submit_for, client_1234):
    client = client_1234.client
    fair_share.charge(client.pk, 1)
    suspect = submit_for("NETFLIX 1", client)
    suspect.admission_attempts = 1
    suspect.save()
    submit_for("NETFLIX 2", client)
    submit_for("SPOTIFY")
    with locked(HeuristicUse.objects.get()):
        assert admission.admit_suspects() == 1
        run_cluster()
        assert statuses() == ["completed"] * 3
        # It is not forgotten meanwhile.
        fair_share.charge(client.pk, 1000)
        others = [request.client_id for request in NormalizationRequest.objects.all()]
        assert fair_share.by_use(sorted(set(others)))[-1] == client.pk
    fair_share.charge(client.pk, 0)
    assert HeuristicUse.objects.get(client=client).seconds > 900


def test_batches_of_a_locked_webhook_do_not_stop_those_of_others(client_1234, stranger):
    held, other = (
        Batch.objects.create(client=each.client, created_at=timezone.now(), corrections=1)
        for each in (client_1234, stranger)
    )
    webhook = WebhookFactory(client=client_1234.client)
    WebhookFactory(client=stranger.client)
    later = timezone.now() + timedelta(minutes=2)

    def sweep():
        cache.clear()
        batches.sweep(now=later)
        batches.notify_of_corrections(now=later)
        return set(Event.objects.values_list("subject_id", "type"))

    of_other = {(other.pk, "batch.completed"), (other.pk, "batch.updated")}
    with locked(webhook, by=FOR_UPDATE):
        assert sweep() == of_other
    assert sweep() == of_other | {(held.pk, "batch.completed"), (held.pk, "batch.updated")}


def test_a_limit_within_another_leaves_the_outer_one_as_it_was():
    def limit():
        with connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            return cursor.fetchone()[0]

    with lock_limit.atomic(lock_seconds=5):
        with lock_limit.atomic(lock_seconds=2):
            assert limit() == "2s"
        assert limit() == "5s"
        with lock_limit.atomic():
            lock_limit.limit_this(1)
            assert limit() == "1s"
        assert limit() == "5s"
    assert limit() == "0"
