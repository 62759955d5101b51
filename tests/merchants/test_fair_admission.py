"""Clients take turns in admission, whatever each has queued."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from merchants.catalogue.rulesets import current
from merchants.models import Batch, NormalizationRequest
from merchants.requests import (
    admission,
    admission_claims,
    batches,
    completion,
    fair_share,
    submission,
    worker,
)
from merchants.requests.batches import Row
from merchants.requests.resolutions.keys import KeyLimits
from pave.core.database import advisory_locks
from tests.factories import (
    ClientFactory,
    WebhookFactory,
)
from tests.merchants.heuristics import FirstWord
from tests.merchants.row_counts import rows_read
from tests.servers import ON_SQLITE
from webhooks.models import Delivery

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.storage,
    pytest.mark.usefixtures("first_word"),
]


def submit(client, *descriptions):
    return [
        submission.submit(client=client, fields={"description": description})
        for description in descriptions
    ]


def test_admission_takes_of_each_client_as_many():
    many, few = ClientFactory(), ClientFactory()
    submit(many, *(f"M{number}" for number in range(30)))
    [mine] = submit(few, "F")
    admission.admit_batch(limit=10)
    mine.refresh_from_db()
    assert mine.status == "processing"
    assert NormalizationRequest.objects.filter(client=many, status="processing").count() == 5


@pytest.mark.skipif(ON_SQLITE, reason="SQLite's locks end with their process")
def test_a_process_that_is_frozen_while_it_claims_holds_nobody_up(monkeypatch):
    monkeypatch.setattr(admission_claims, "IDLE_SECONDS", 0.3)
    frozen, thawed = threading.Event(), threading.Event()
    next_queued = fair_share.next_queued

    def freeze_at_first(*args, **limits):
        if not frozen.is_set():
            frozen.set()
            assert thawed.wait(30)
        return next_queued(*args, **limits)

    def admit():
        try:
            return admission.admit_batch()
        finally:
            connection.close()

    monkeypatch.setattr(fair_share, "next_queued", freeze_at_first)
    [request] = submit(ClientFactory(), "ONE")
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(admit)
        try:
            assert frozen.wait(30)
            end = time.monotonic() + 30
            while not admission.admit_batch() and time.monotonic() < end:
                time.sleep(0.05)
        finally:
            thawed.set()
        with pytest.raises(OperationalError):
            lost.result()
    request.refresh_from_db()
    assert request.status == "processing"


def test_admission_comes_round_to_everybody():
    clients = ClientFactory.create_batch(7)
    for client in clients:
        submit(client, *(f"{client.client_id} {number}" for number in range(4)))
    for _ in range(4):
        admission.admit_batch(limit=2)
    admitted = NormalizationRequest.objects.exclude(status="queued")
    assert set(admitted.values_list("client", flat=True)) == {client.pk for client in clients}


def test_what_is_admitted_alone_takes_turns_and_one_worker(monkeypatch):
    hostile, other = ClientFactory(), ClientFactory()
    submit(hostile, "UNREADABLE 1", "UNREADABLE 2", "UNREADABLE 3")
    [mine] = submit(other, "FINE")
    NormalizationRequest.objects.update(admission_attempts=1)
    fair_share.charge(hostile.pk, 20)
    claimed = admission_claims.claim_suspect()
    assert claimed.requests == [mine]
    assert admission_claims.claim_suspect() is None
    admission_claims.requeue(worker="")
    mine.refresh_from_db()
    assert mine.admission_attempts == 2


def test_one_whose_texts_kill_workers_pays_for_each():
    hostile, other = ClientFactory(), ClientFactory()
    submit(hostile, *(f"KILLER {number}" for number in range(5)))
    taken_along = submit(other, "FINE", "GOOD")
    NormalizationRequest.objects.update(admission_attempts=1)
    fair_share.charge(other.pk, 1)
    chosen = []
    for _ in range(4):
        claimed = admission_claims.claim_suspect()
        chosen += claimed.requests
        if claimed.requests[0] in taken_along:
            admission._admit_claimed(claimed.claim, keyed_as_is(claimed), current())
            fair_share.charge_actual(other.pk, 0.01, admission.ALONE.wall)
        else:
            admission_claims.requeue(worker="")  # its worker died
    assert [request in taken_along for request in chosen] == [False, True, True, False]
    assert chosen[0] != chosen[3]  # others of its own before a second attempt


def keyed_as_is(claimed):
    keyed = admission._Keyed()
    for request in claimed.requests:
        admission._key(request, FirstWord(), admission.ALONE, keyed)
    return keyed


def test_a_flow_of_fresh_ones_keeps_no_other_client_from_its_next_attempt():
    hostile, other = ClientFactory(), ClientFactory()
    [mine] = submit(other, "CUT OFF ONCE")
    NormalizationRequest.objects.filter(pk=mine.pk).update(admission_attempts=2)
    chosen = []
    for number in range(3):
        submit(hostile, f"FRESH {number}")
        NormalizationRequest.objects.filter(admission_attempts=0).update(admission_attempts=1)
        chosen += admission_claims.claim_suspect().requests
        admission_claims.requeue(worker="")
    assert mine in chosen


def test_what_was_set_aside_once_is_as_any_other_when_it_is_admitted_anew():
    [request] = submit(ClientFactory(), "TAKEN ALONG")
    NormalizationRequest.objects.update(admission_attempts=admission.MAX_ALONE)
    assert admission.admit_suspects() == 1
    completion.readmit(NormalizationRequest.objects.filter(pk=request.pk))
    assert admission.admit_batch() == 1
    request.refresh_from_db()
    assert request.status == "processing"


def test_while_one_of_a_clients_is_admitted_alone_its_others_wait():
    hostile, other = ClientFactory(), ClientFactory()
    [alone, waiting] = submit(hostile, "ENDLESS", "NEXT")
    [mine] = submit(other, "MINE")
    NormalizationRequest.objects.filter(pk=alone.pk).update(admission_attempts=1)
    claimed = admission_claims.claim_suspect()
    assert claimed.requests == [alone]
    assert admission_claims.claim_queued(10).requests == [mine]
    admission_claims.release(claimed.claim)
    assert admission_claims.claim_queued(10).requests == [waiting]


def test_who_holds_admission_up_for_long_is_set_aside(monkeypatch):
    monkeypatch.setattr(admission, "IN_A_BATCH", KeyLimits(cpu=0.05, wall=0.05))
    hostile, other = ClientFactory(), ClientFactory()
    submit(hostile, *(f"ENDLESS {number}" for number in range(4)))
    submit(other, "A", "B")
    admission.admit_batch()
    suspects = NormalizationRequest.objects.suspect()
    assert set(suspects.values_list("client", flat=True)) == {hostile.pk}
    assert suspects.count() == 4
    assert not admission.admit_batch()


def test_who_holds_admission_up_waits_for_the_next_batch():
    hostile, other = ClientFactory(), ClientFactory()
    submit(hostile, *(f"UNREADABLE {number}" for number in range(4)))
    mine = submit(other, "A", "B", "C", "D")
    admission.admit_batch(limit=8)
    assert NormalizationRequest.objects.suspect().count() == 1
    assert {NormalizationRequest.objects.get(pk=request.pk).status for request in mine} == {
        "processing"
    }


def test_a_clients_single_transactions_are_read_before_the_rows_of_its_batches(monkeypatch):
    monkeypatch.setattr(admission, "KEYING_SECONDS", -1)  # as if each took long
    client = ClientFactory()
    rows = [Row(number, None, {"description": f"ROW {number}"}) for number in range(5)]
    batches.accept(client=client, rows=rows)
    [single] = submit(client, "SINGLE")
    admission.admit_batch()
    single.refresh_from_db()
    assert single.status == "processing"
    assert NormalizationRequest.objects.filter(status="queued").count() == 5


def test_two_admissions_at_a_time_share_one_clients_backlog():
    submit(ClientFactory(), *(f"M{number}" for number in range(30)))
    first, second, third = (admission_claims.claim_queued(12).requests for _ in range(3))
    assert [len(first), len(second), len(third)] == [12, 12, 6]
    assert len({request.pk for request in (*first, *second, *third)}) == 30


def test_what_becomes_very_many_messages_is_admitted_in_small_parts(monkeypatch):
    """Others of the same claim wait until all of these rows are written."""
    monkeypatch.setattr(fair_share, "MAX_DELIVERIES", 9)
    loud, quiet = ClientFactory(), ClientFactory()
    for _ in range(4):
        WebhookFactory(client=loud)
    submit(loud, *(f"LOUD{number} X" for number in range(10)))
    submit(quiet, *(f"QUIET{number} X" for number in range(10)))
    admission.admit_batch(limit=20)
    admitted = NormalizationRequest.objects.filter(status="processing")
    assert admitted.filter(client=loud).count() == 2
    assert admitted.filter(client=quiet).count() == 10
    _work_it_all()
    assert not NormalizationRequest.objects.unfinished().exists()
    assert Delivery.objects.count() == 40


def _work_it_all():
    while admission.admit_batch() or worker.resolve_due():
        pass


@pytest.mark.parametrize("most", [1, 9])
def test_so_is_what_many_wait_for(monkeypatch, most):
    monkeypatch.setattr(fair_share, "MAX_DELIVERIES", most)
    loud = ClientFactory()
    for _ in range(4):
        WebhookFactory(client=loud)
    submit(loud, *["SAME X"] * 10)
    _work_it_all()
    assert Delivery.objects.count() == 40
    assert not NormalizationRequest.objects.unfinished().exists()


@pytest.mark.parametrize("event", ["normalization.failed", "normalization.completed"])
def test_whatever_becomes_of_a_request_is_counted(monkeypatch, event):
    monkeypatch.setattr(fair_share, "MAX_DELIVERIES", 9)
    loud = ClientFactory()
    for _ in range(4):
        WebhookFactory(client=loud, events=[event])
    submit(loud, *(f"LOUD{number} X" for number in range(10)))
    assert admission.admit_batch(limit=10) == 2


def test_that_a_batch_is_through_is_a_message_as_well(monkeypatch):
    monkeypatch.setattr(fair_share, "MAX_DELIVERIES", 9)
    loud = ClientFactory()
    for _ in range(4):
        WebhookFactory(client=loud, events=["batch.completed"])
    for number in range(10):
        row = Row(1, None, {"description": f"LOUD{number} X"})
        batches.accept(client=loud, rows=[row], options={"deliver": "batch"})
    assert admission.admit_batch(limit=10) == 2
    rows = [Row(number, None, {"description": f"ROW{number} X"}) for number in range(5)]
    batches.accept(client=loud, rows=rows, options={"deliver": "batch"})
    Batch.objects.filter(accepted=1).delete()
    assert admission.admit_batch(limit=10) == 5
    _work_it_all()


def test_a_row_that_becomes_no_message_costs_nothing(monkeypatch):
    monkeypatch.setattr(fair_share, "MAX_DELIVERIES", 9)
    loud, deaf = ClientFactory(), ClientFactory()
    for _ in range(4):
        WebhookFactory(client=loud)
        WebhookFactory(client=deaf, events=["webhook.disabled"])
    rows = [Row(number, None, {"description": f"ROW{number}"}) for number in range(10)]
    batches.accept(client=loud, rows=rows)
    submit(deaf, *(f"DEAF{number}" for number in range(10)))
    assert admission.admit_batch(limit=20) == 20


def test_many_clients_with_one_request_each_have_no_more_than_their_share():
    for client in ClientFactory.create_batch(15):
        submit(client, "SHOP")
    queued, more = fair_share.next_queued(200)
    assert (len(queued), more) == (15, False)


def test_what_a_clients_requests_become_is_looked_up_once(django_assert_max_num_queries):
    client = ClientFactory()
    submit(client, *(f"SHOP{number}" for number in range(100)))
    with django_assert_max_num_queries(12):
        assert len(fair_share.next_queued(100)[0]) == 100


def test_rows_that_are_being_canceled_are_not_read_by_others_admission():
    if connection.vendor != "postgresql":
        return  # which counts the rows that it reads
    gone, here = ClientFactory(), ClientFactory()
    for size in (3000, 5):
        rows = [Row(number, None, {"description": f"ROW{number}"}) for number in range(size)]
        batch = batches.accept(client=gone, rows=rows)
        if size > 5:
            Batch.objects.filter(pk=batch.pk).update(cancel_requested_at=timezone.now())
    # Nor are those that are admitted already.
    Batch.objects.bulk_create(
        Batch(client=gone, created_at=timezone.now(), accepted=1) for _ in range(1000)
    )
    submit(here, "NETFLIX")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE merchants_normalizationrequest, merchants_batch")
    with transaction.atomic(), connection.cursor() as cursor:
        before = rows_read(cursor)
        assert fair_share.is_any_admissible()
        assert len(fair_share.next_queued(100)[0]) == 6
        assert rows_read(cursor) - before < 200


@pytest.mark.skipif(ON_SQLITE, reason="SQLite has one writer at a time")
def test_a_worker_does_not_wait_while_another_claims():
    submit(ClientFactory(), "A")
    claiming, over = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            advisory_locks.take(advisory_locks.Lock.CLAIMING_REQUESTS)
            claiming.set()
            over.wait(30)
        connection.close()

    other = threading.Thread(target=hold)
    other.start()
    try:
        assert claiming.wait(30)
        assert admission.admit_batch() == 0
    finally:
        over.set()
        other.join()
    assert admission.admit_batch() == 1


def test_clients_whose_keys_take_long_use_up_no_more_than_their_turns(monkeypatch):
    """A batch that ended before all had a turn was followed by one that began with the same."""
    monkeypatch.setattr(admission, "KEYING_SECONDS", -1)
    monkeypatch.setattr(admission, "MAX_KEYING_SECONDS", 0.05)
    key = FirstWord.key

    def slow(self, transaction):
        time.sleep(0.1 * transaction.description.startswith("SLOW"))
        return key(self, transaction)

    monkeypatch.setattr(FirstWord, "key", slow)
    for _ in range(5):
        submit(ClientFactory(), *(f"SLOW {number}" for number in range(10)))
    [waiting] = submit(ClientFactory(), "NETFLIX")
    for _ in range(6):
        admission.admit_batch()
    waiting.refresh_from_db()
    assert waiting.status == "processing"
