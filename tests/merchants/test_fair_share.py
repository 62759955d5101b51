"""Clients take turns in the heuristic's time."""

import time
from datetime import timedelta
from unittest import mock

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from merchants.models import HeuristicUse, NormalizationRequest, Resolution, Ruleset, Waiter
from merchants.requests import (
    admission,
    batches,
    completion,
    fair_share,
    submission,
    worker,
)
from merchants.requests.batches import Row
from merchants.requests.resolutions import attempts, claims
from pave.clients.models import Client
from tests.factories import (
    ClientFactory,
    NormalizationRequestFactory,
    WaiterFactory,
)
from tests.merchants.heuristics import FirstWord
from tests.merchants.row_counts import rows_read

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


def next_client():
    [claim] = claims.claim(worker="w")
    return Client.objects.get(pk=claim.client)


def test_one_resolution_is_not_behind_another_clients_thousand():
    many, few = ClientFactory(), ClientFactory()
    WaiterFactory.create_batch(30, client=many)
    fair_share.charge(many.pk, 1)
    WaiterFactory(client=few)
    assert next_client() == few
    assert next_client() == many


def test_time_counts_and_not_the_number_of_runs():
    slow, fast = ClientFactory(), ClientFactory()
    for client in (slow, fast):
        WaiterFactory.create_batch(6, client=client)
    fair_share.charge(slow.pk, 30)
    fair_share.charge(fast.pk, 0.1)
    chosen = []
    for _ in range(5):
        [claim] = claims.claim(worker="w")
        seconds = 30 if claim.client == slow.pk else 0.1
        claims.charge_actual(client=claim.client, seconds=seconds)
        chosen.append(claim.client)
    assert chosen == [fast.pk] * 5


def test_a_larger_share_gets_more_time():
    large, small = ClientFactory(share=3), ClientFactory()
    for client in (large, small):
        WaiterFactory.create_batch(40, client=client)
    chosen = []
    for _ in range(40):
        [claim] = claims.claim(worker="w")
        claims.charge_actual(client=claim.client, seconds=1)
        chosen.append(claim.client)
    assert 28 <= chosen.count(large.pk) <= 32


def test_use_fades():
    busy_once, other = ClientFactory(), ClientFactory()
    fair_share.charge(busy_once.pk, 1000)
    fair_share.charge(other.pk, 5)
    for client in (busy_once, other):
        WaiterFactory(client=client)
    assert fair_share.clients_due() == [other.pk, busy_once.pk]
    busy_once.heuristicuse.as_of -= 20 * fair_share.HALF_LIFE
    busy_once.heuristicuse.save()
    assert fair_share.clients_due() == [busy_once.pk, other.pk]


def test_what_a_dead_worker_took_is_not_refunded():
    client = ClientFactory()
    WaiterFactory.create_batch(2, client=client)
    claims.claim(worker="w")
    assert client.heuristicuse.seconds > 30
    worker.work(claims.claim(worker="w"))
    client.heuristicuse.refresh_from_db()
    assert 30 < client.heuristicuse.seconds < 90


def test_a_resolution_for_several_belongs_to_the_one_whose_turn_is_first():
    busy, idle = ClientFactory(), ClientFactory()
    WaiterFactory.create_batch(3, client=busy)
    fair_share.charge(busy.pk, 100)
    shared = Resolution.objects.last()
    WaiterFactory(client=idle, resolution=shared)
    [claim] = claims.claim(worker="w")
    assert (claim.resolution, claim.client) == (shared, idle.pk)


def test_within_a_client_single_ones_come_before_batches():
    client = ClientFactory()
    WaiterFactory(client=client, bulk=True)
    single = WaiterFactory(client=client)
    [claim] = claims.claim(worker="w")
    assert claim.resolution == single.resolution


def test_a_client_whose_resolutions_all_pause_holds_nobody_up():
    pausing, other = ClientFactory(), ClientFactory()
    WaiterFactory(client=pausing, due_at=timezone.now() + timedelta(hours=1))
    fair_share.charge(other.pk, 100)
    WaiterFactory(client=other)
    assert next_client() == other
    assert claims.claim(worker="w") == []


def test_only_what_a_client_itself_asks_alone_goes_before_its_batches():
    one, other = ClientFactory(), ClientFactory()
    for client, alone, row in ((one, "NETFLIX", "HULU"), (other, "HULU", "NETFLIX")):
        batches.accept(client=client, rows=[Row(1, None, {"description": row})])
        submit(client, alone)
    admission.admit_batch()
    bulk = {
        (client, key)
        for client, key in Waiter.objects.filter(bulk=True).values_list("client", "resolution__key")
    }
    assert bulk == {(one.pk, "hulu"), (other.pk, "netflix")}


def test_who_was_away_for_a_weekend_is_served():
    client = ClientFactory()
    fair_share.charge(client.pk, 5)
    HeuristicUse.objects.update(as_of=F("as_of") - 66 * 3600)
    WaiterFactory(client=client)
    assert next_client() == client


def test_a_client_whose_rows_are_broken_holds_nobody_up(monkeypatch):
    broken, other = ClientFactory(), ClientFactory()
    request = WaiterFactory(client=broken).request
    read = NormalizationRequest.as_transaction

    def as_transaction(self):
        if self.pk == request.pk:
            raise ValueError("a column that cannot be read")
        return read(self)

    monkeypatch.setattr(NormalizationRequest, "as_transaction", as_transaction)
    fair_share.charge(other.pk, 10)
    WaiterFactory.create_batch(2, client=other)
    assert next_client() == other
    assert next_client() == other


def test_what_could_not_be_charged_fades_like_the_rest(monkeypatch):
    one, other = ClientFactory(), ClientFactory()
    fair_share.charge(other.pk, 10)
    monkeypatch.setattr(fair_share, "_not_charged", {one.pk: (300.0, time.time() - 3600)})
    assert fair_share.by_use([other.pk, one.pk]) == [one.pk, other.pk]


def test_a_client_that_was_erased_meanwhile_pays_nothing():
    client = ClientFactory()
    erased = client.pk
    client.delete()
    claims.charge_actual(client=erased, seconds=300)
    assert not HeuristicUse.objects.exists()


def test_what_is_in_no_line_is_put_in_it():
    waiter = WaiterFactory()
    NormalizationRequest.objects.filter(pk=waiter.request_id).update(
        resolution=waiter.resolution, status="processing"
    )
    waiter.delete()
    Resolution.objects.update(created_at=timezone.now() - timedelta(minutes=5))
    attempts.sweep()
    assert next_client() == waiter.client


@pytest.fixture
def rulesets_older_and_newer(settings):
    settings.PAVE_HEURISTIC = "merchants.catalogue.rulesets.CatalogueHeuristic"
    return Ruleset.objects.create(content=b""), Ruleset.objects.create(content=b"")


def test_resolutions_of_an_older_ruleset_are_passed_over_at_once(rulesets_older_and_newer):
    older, newer = rulesets_older_and_newer
    client = ClientFactory()
    WaiterFactory.create_batch(5, client=client, resolution__ruleset=older)
    WaiterFactory(client=client, resolution__ruleset=newer)
    [claim] = claims.claim(worker="w")
    assert claim.resolution.ruleset == newer


def test_many_resolutions_of_an_older_ruleset_let_other_clients_pass(
    rulesets_older_and_newer, monkeypatch
):
    """One turn puts some of them back, for which their client pays, and the others stay."""
    monkeypatch.setattr(claims, "LOOK_AHEAD", (4, 4))
    older, newer = rulesets_older_and_newer
    many = WaiterFactory.create_batch(30, client=ClientFactory(), resolution__ruleset=older)
    other = WaiterFactory(resolution__ruleset=newer)

    [claim] = claims.claim(worker="w")
    queued = NormalizationRequest.objects.filter(status="queued")

    assert claim.resolution == other.resolution
    assert queued.count() == 9
    assert HeuristicUse.objects.filter(client=many[0].client, seconds__gt=0).exists()
    assert claims.claim(worker="w") == []
    assert queued.count() == 30
    assert not Waiter.objects.filter(client=many[0].client).exists()
    assert not Resolution.objects.filter(ruleset=older).exists()


def test_many_requests_for_one_outdated_resolution_are_put_back_in_parts(
    rulesets_older_and_newer, monkeypatch
):
    monkeypatch.setattr(completion, "SETTLE_BATCH", 4)
    monkeypatch.setattr(claims, "REQUEUE_SECONDS", 0)
    older, _ = rulesets_older_and_newer
    waiter = WaiterFactory(resolution__ruleset=older)
    NormalizationRequestFactory.create_batch(
        9, client=waiter.client, resolution=waiter.resolution, status="processing"
    )
    queued = NormalizationRequest.objects.filter(status="queued")
    counts = []
    while Waiter.objects.exists():
        assert claims.claim(worker="w") == []
        counts.append(queued.count())
    assert counts == [4, 8, 10]


@pytest.fixture
def many_ask_the_same(monkeypatch):
    """One resolution of nine rows of a batch and, behind them, of somebody's single request."""
    monkeypatch.setattr(completion, "SETTLE_BATCH", 4)
    one, other = ClientFactory(), ClientFactory()
    rows = (Row(number, None, {"description": "NETFLIX 1"}) for number in range(1, 10))
    batch = batches.accept(client=one, rows=rows)
    [single] = submit(other, "NETFLIX 2")
    admission.admit_batch()
    return batch, single


def end_of(single):
    single.refresh_from_db()
    return single.status


@pytest.mark.parametrize("failure", [None, "It failed."])
def test_what_many_wait_for_is_told_in_small_parts(many_ask_the_same, failure):
    batch, single = many_ask_the_same
    [claim] = claims.claim(worker="w")
    if failure:
        attempts.fail(claim.resolution, failure, limit=1)
        end = "failed"
    else:
        worker.work([claim])
        end = "completed"
    assert end_of(single) == end  # somebody waits for it, and so it comes first
    told = NormalizationRequest.objects.filter(status=end)
    assert told.count() == 4
    while admission.admit_batch() or worker.resolve_due():
        pass
    assert told.count() == 10
    batch.refresh_from_db()
    assert (batch.status, batch.completed + batch.failed) == ("completed", 9)
    assert FirstWord.runs == (0 if failure else 1)
    assert not Waiter.objects.exists()


def test_what_a_worker_died_before_telling_is_told(many_ask_the_same, monkeypatch):
    with monkeypatch.context() as dying:
        dying.setattr(completion, "readmit_waiting", mock.Mock(side_effect=SystemExit))
        with pytest.raises(SystemExit):
            worker.work(claims.claim(worker="w"))
    assert not admission.admit_batch()
    assert not claims.claim(worker="w")
    Waiter.objects.update(due_at=timezone.now())  # the dead worker's lease is over
    assert not claims.claim(worker="w")
    assert admission.admit_batch() == 6
    assert NormalizationRequest.objects.filter(status="completed").count() == 10
    assert not Waiter.objects.exists()


def test_who_asks_what_is_being_worked_on_waits_for_that_run():
    one, other = ClientFactory(), ClientFactory()
    submit(one, "NETFLIX 1")
    admission.admit_batch()
    [claim] = claims.claim(worker="w")
    submit(other, "NETFLIX 2", "HULU 1")
    admission.admit_batch()
    assert [claim.resolution.key for claim in claims.claim(worker="v", limit=5)] == ["hulu"]
    attempts.release([claim.resolution])
    fair_share.charge(one.pk, 60)
    [again] = claims.claim(worker="v")
    assert (again.resolution.key, again.client) == ("netflix", other.pk)


def test_a_claim_reads_few_rows_where_statistics_are_older_than_the_backlog():
    """Each row in flight was joined with all that is pending, at every claim."""
    if connection.vendor == "sqlite":
        return  # keeps no count of what it reads
    client = ClientFactory()
    with transaction.atomic(), connection.cursor() as cursor:
        submit(client, *(f"OLD{number}" for number in range(50)))
        while admission.admit_batch() or worker.resolve_due():
            pass
        cursor.execute("ANALYZE")
        submit(client, *(f"NEW{number}" for number in range(400)))
        while admission.admit_batch():
            pass
        claims.claim(worker="w", limit=200)
        before = rows_read(cursor)
        assert len(claims.claim(worker="w", limit=20)) == 20
        attempts.sweep()
        # About 10 a row, more where dead rows lie among them; joined one by one, 200.
        assert rows_read(cursor) - before < 50 * 400


def test_clients_that_wait_for_a_run_under_way_cost_a_claim_nothing():
    clients = ClientFactory.create_batch(20)
    submit(clients[0], "NETFLIX")
    admission.admit_batch()
    claims.claim(worker="w")
    for client in clients:
        submit(client, "NETFLIX")
    admission.admit_batch()
    assert not claims.claim(worker="v")
    submit(clients[0], "HULU")
    admission.admit_batch()
    fair_share.charge(clients[0].pk, 5)
    with CaptureQueriesContext(connection) as queries:
        assert next_client() == clients[0]
    assert len(queries) < 20
