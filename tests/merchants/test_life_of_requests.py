"""Requests under any order of what can happen to them: none is lost, and none ends twice."""

import itertools
from contextlib import suppress
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from django.db import connection
from django.db.models import Sum
from django.utils import timezone
from hypothesis import settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from merchants.catalogue import rulesets
from merchants.models import NormalizationRequest, Resolution, Waiter
from merchants.requests import admission, cancellation, erasure, revision, submission, worker
from merchants.requests.resolutions import attempts, claims
from pave.clients.models import Client
from pave.operations.models import Tally
from tests.factories import ClientFactory, WebhookFactory
from webhooks.models import Event

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(300),
]

TEXTS = ["NETFLIX 1", "NETFLIX 2", "SPOTIFY 1", "RAISE 1", "UNREADABLE 1"]
FINAL = {"completed", "failed", "canceled"}
# What tells a client of a request's end.
EVENTS = {"completed": ["normalization.completed"], "failed": ["normalization.failed"]}
Status = NormalizationRequest.Status


class Life(RuleBasedStateMachine):
    """Two clients, any number of workers, and staff who publish.

    What may happen next does not depend on rows: clients take turns by the time that they have
    used, so a repeat may find other ones.
    """

    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        with connection.cursor() as cursor:
            for model in (Event, NormalizationRequest, Waiter, Resolution, Client, Tally):
                self._empty(cursor, model)
        self.numbers = itertools.count()
        self.clients = [ClientFactory(), ClientFactory()]
        for client in self.clients:
            WebhookFactory(client=client)
        self.posted: dict[Any, int] = {}
        self.ends: dict[Any, tuple[str, Any]] = {}
        self.erased = False
        self.published = 0

    @staticmethod
    def _empty(cursor: Any, model: Any) -> None:
        if connection.vendor == "postgresql":
            cursor.execute(f"TRUNCATE {model._meta.db_table} CASCADE")
        else:
            model.objects.all().delete()

    # --- What happens ---------------------------------------------------------------------------

    @precondition(lambda self: len(self.posted) < 20)
    @rule(
        number=st.integers(0, 1),
        texts=st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4),
        at_once=st.booleans(),
    )
    def submit(self, number: int, texts: list[str], at_once: bool) -> None:
        """Clients post; admission follows at once, or later."""
        client = self.clients[0 if self.erased else number]
        for text in texts:
            request = submission.submit(client=client, fields={"description": text})
            self.posted[request.pk] = client.pk
        if at_once:
            self.admit()

    @precondition(lambda self: self.posted)
    @rule()
    def admit(self) -> None:
        admission.admit_batch()
        admission.admit_suspects()

    @precondition(lambda self: self.posted)
    @rule(target=held, limit=st.integers(1, 3))
    def claim(self, limit: int) -> Any:
        waiting = Resolution.objects.filter(status="pending")
        Waiter.objects.filter(resolution__in=list(waiting)).update(due_at=timezone.now())
        name = f"w{next(self.numbers)}/1/1"
        return name, claims.claim(worker=name, limit=limit)

    @rule(claimed=consumes(held))
    def finish(self, claimed: Any) -> None:
        if claimed[1]:
            worker.work(claimed[1])

    @rule(target=held, claimed=consumes(held), late=st.booleans())
    def lose(self, claimed: Any, late: bool) -> Any:
        """A worker dies, or is only thought to: then it goes on."""
        name = claimed[0]
        if late:
            Resolution.objects.filter(claimed_by=name).update(
                lease_expires_at=timezone.now() - timedelta(seconds=1)
            )
            attempts.sweep()
        else:
            attempts.requeue(worker=name)
        return claimed if late else multiple()

    @rule(claimed=consumes(held))
    def put_down(self, claimed: Any) -> None:
        attempts.release([one.resolution for one in claimed[1]])

    @precondition(lambda self: self.published < 2)
    @rule(revised=st.booleans())
    def publish(self, revised: bool) -> None:
        self.published += 1
        rulesets.publish(note="", by="staff")
        if revised:
            revision.revise()

    @precondition(lambda self: self.posted)
    @rule(place=st.integers(0, 30))
    def cancel(self, place: int) -> None:
        pk = list(self.posted)[place % len(self.posted)]
        request = NormalizationRequest.objects.filter(pk=pk).first()
        with suppress(cancellation.AlreadyFinal, cancellation.InUse):
            if request is not None:
                cancellation.cancel(request=request)

    @precondition(lambda self: not self.erased)
    @rule()
    def erase(self) -> None:
        Resolution.objects.filter(status="running", client=self.clients[1]).update(
            lease_expires_at=timezone.now() - timedelta(seconds=1)
        )
        list(erasure.erase(client=self.clients[1]))
        self.erased = True

    @rule()
    def wait(self) -> None:
        """Nothing happens, as when all has happened that may."""

    # --- What always holds ----------------------------------------------------------------------

    @invariant()
    def what_is_final_stays_as_it_is(self) -> None:
        for pk, status, completed_at in NormalizationRequest.objects.values_list(
            "pk", "status", "completed_at"
        ):
            if pk in self.ends:
                assert self.ends[pk] == (status, completed_at)
            elif status in FINAL:
                self.ends[pk] = (status, completed_at)

    @invariant()
    def nothing_is_another_clients(self) -> None:
        owners: dict[Any, int] = {}
        requests = NormalizationRequest.objects.values_list(
            "pk", "client_id", "resolution__client_id"
        )
        for pk, client, of_answer in requests:
            owners[pk] = client
            assert of_answer in (None, client)
        told = Event.objects.values_list(
            "subject_id", "client_id", "deliveries__webhook__client_id"
        )
        for subject, client, receiver in told:
            assert owners[subject] == client == receiver

    @invariant()
    def counters_and_rows_agree(self) -> None:
        for status in EVENTS:
            counted = Tally.objects.filter(name="requests", label=status).aggregate(
                all=Sum("count")
            )
            rows = NormalizationRequest.objects.filter(status=status).count()
            assert self.erased or (counted["all"] or 0) == rows

    @invariant()
    def what_is_erased_is_gone(self) -> None:
        if self.erased:
            assert not NormalizationRequest.objects.filter(client=self.clients[1].pk).exists()
            assert not Resolution.objects.filter(client=self.clients[1].pk).exists()

    def teardown(self) -> None:
        """Let all work be done: then each request has one end, and its client was told once."""
        try:
            Resolution.objects.filter(status="running").update(
                lease_expires_at=timezone.now() - timedelta(seconds=1)
            )
            for _ in range(20):
                attempts.sweep()
                admission.admit_batch()
                admission.admit_suspects()
                Waiter.objects.update(due_at=timezone.now())
                worker.resolve_due()
                revision.revise()
            left = {
                pk for pk, client in self.posted.items()
                if not (self.erased and client == self.clients[1].pk)
            }  # fmt: skip
            rows = NormalizationRequest.objects.in_bulk(left)
            assert rows.keys() == left
            for pk, request in rows.items():
                assert request.status in FINAL, request.status
                told = Event.objects.filter(subject_id=pk).exclude(type="normalization.updated")
                assert [event.type for event in told] == EVENTS.get(request.status, [])
            self.what_is_final_stays_as_it_is()
            assert not Waiter.objects.exists()
        finally:
            super().teardown()


def test_whatever_happens_each_request_ends_once(
    settings_of_heuristic: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "PROCESS_SECONDS", 0)  # there is no other process
    run_state_machine_as_test(
        Life, settings=settings(max_examples=15, stateful_step_count=40, deadline=None)
    )


@pytest.fixture
def settings_of_heuristic(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancellation, "CANCEL_SECONDS", 0.0)
    settings.PAVE_HEURISTIC = "tests.merchants.heuristics.FirstWord"
