"""Deliveries under any order of what can happen to them: each is made, and none again unasked."""

import itertools
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count, Sum
from django.test import override_settings
from django.utils import timezone
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pave.clients.models import Client
from pave.operations.models import Tally
from tests.factories import SigningSecretFactory, WebhookFactory
from webhooks.delivery import housekeeping, manual, recovery
from webhooks.delivery.claims import Claimer
from webhooks.delivery.fair_share import Capacity
from webhooks.delivery.results import AttemptResult, record
from webhooks.endpoints import enabling, services
from webhooks.http.outcome import Outcome
from webhooks.models import Delivery, Webhook
from webhooks.publishing import Occurrence, publish

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

FINAL = {"succeeded", "failed", "canceled"}
COMPLETED = "normalization.completed"
BY = Webhook.DisabledBy


def recover(webhook: Webhook) -> None:
    now = timezone.now()
    recovery.start(webhook=webhook, since=now - timedelta(hours=1), until=now)
    recovery.advance_all()


# What staff, a client or an endpoint may ask of a webhook.
ASKED = {
    "delete": lambda webhook: services.delete(webhook=webhook),
    "disable": lambda webhook: enabling.disable(webhook_id=webhook.pk, by=BY.CLIENT),
    "disable by staff": lambda webhook: enabling.disable(webhook_id=webhook.pk, by=BY.STAFF),
    "enable": lambda webhook: enabling.enable(webhook=webhook, by_client=True),
    "enable by staff": lambda webhook: enabling.enable(webhook=webhook),
    "recover": recover,
    "rotate": lambda webhook: services.rotate_secret(webhook=webhook),
}


class Life(RuleBasedStateMachine):
    """Two clients with two webhooks, any number of senders, and everything that may be asked."""

    held = Bundle("held")

    @initialize()
    def begin(self) -> None:
        with connection.cursor() as cursor:
            for model in (Client, Tally):
                cursor.execute(f"TRUNCATE {model._meta.db_table} CASCADE")
        self.numbers = itertools.count()
        self.webhooks = [WebhookFactory() for _ in range(2)]
        for webhook in self.webhooks:
            SigningSecretFactory(webhook=webhook)
        self.published = self.made = self.recorded = 0
        self.taken: set[Any] = set()  # deliveries that an endpoint has answered 2xx for certain
        self.sending: dict[str, set[Any]] = {}  # by those who are not thought to be dead
        self.again: set[Any] = set()  # those that somebody asked to send again

    # --- What happens ---------------------------------------------------------------------------

    @precondition(lambda self: self.published < 12)
    @rule(number=st.integers(0, 1), count=st.integers(1, 3))
    def publish(self, number: int, count: int) -> None:
        now = timezone.now()
        webhook = self.webhooks[number]
        made = publish(
            [
                Occurrence(
                    client_pk=webhook.client.pk,
                    type=COMPLETED,
                    subject_id=webhook.pk,
                    data={},
                )
                for _ in range(count)
            ],
            now=now,
        )
        assert made == count * Webhook.objects.existing().filter(pk=webhook.pk).count()
        self.made += made
        self.published += count

    @precondition(lambda self: self.published)
    @rule(target=held, limit=st.integers(1, 4), later=st.booleans())
    def claim(self, limit: int, later: bool) -> Any:
        if later:
            self._let_time_pass()
        return self._claim(limit) or multiple()

    def _claim(self, limit: int) -> Any:
        name = f"host/s{next(self.numbers)}/1"
        claims = Claimer(name).claim(now=timezone.now(), capacity=Capacity(limit, limit, limit))
        claimed = {one.delivery_id for one in claims}
        assert not claimed & (self.taken - self.again)
        assert not claimed & set().union(*self.sending.values())
        self.sending[name] = claimed
        return (name, claims) if claims else None

    @rule(claimed=consumes(held), answers=st.lists(st.booleans(), min_size=4, max_size=4))
    def answer(self, claimed: Any, answers: list[bool]) -> None:
        name, claims = claimed
        self.sending.pop(name, None)
        owned = set(
            Delivery.objects.in_flight().filter(claimed_by=name).values_list("pk", flat=True)
        )
        results = [
            AttemptResult(claim=one, headers={}, outcome=outcome(ok), shown=outcome(ok))
            for one, ok in zip(claims, answers, strict=False)
        ]
        record(results, now=timezone.now(), worker=name)
        self.recorded += len(results)
        for result in results:
            if result.outcome.ok and result.claim.delivery_id in owned:
                self.taken.add(result.claim.delivery_id)
                self.again.discard(result.claim.delivery_id)

    @rule(claimed=consumes(held))
    def die(self, claimed: Any) -> None:
        self.sending.pop(claimed[0], None)
        housekeeping.requeue(worker=claimed[0])

    @rule(target=held, claimed=consumes(held))
    def be_overtaken(self, claimed: Any) -> Any:
        """A sender is slower than its lease: it goes on, and so does another."""
        self.sending.pop(claimed[0], None)
        Delivery.objects.filter(claimed_by=claimed[0]).update(
            lease_expires_at=timezone.now() - timedelta(seconds=1)
        )
        housekeeping.sweep()
        self._let_time_pass()
        by_another = self._claim(4)
        return multiple(claimed, by_another) if by_another else claimed

    def _let_time_pass(self) -> None:
        """What is to be tried again is due; a breaker lets go."""
        Delivery.objects.filter(status="pending").update(next_attempt_at=timezone.now())
        Webhook.objects.update(paused_until=None, breaker_opened_at=None, breaker_failures=0)

    @precondition(lambda self: self.made)
    @rule(place=st.integers(0, 30), cancel=st.booleans())
    def ask_for_one(self, place: int, cancel: bool) -> None:
        pks = list(Delivery.objects.order_by("id").values_list("pk", flat=True))
        pk = pks[place % len(pks)]
        with suppress(manual.InvalidState):
            if cancel:
                manual.cancel(delivery_id=pk)
            else:
                manual.retry(delivery_id=pk)
                self.again.add(pk)

    @rule(number=st.integers(0, 1), what=st.sampled_from(sorted(ASKED)))
    def ask(self, number: int, what: str) -> None:
        with suppress(
            enabling.DisabledByStaff,
            recovery.AlreadyRunning,
            services.LimitReached,
            services.Deleted,
        ):
            ASKED[what](Webhook.objects.get(pk=self.webhooks[number].pk))

    # --- What always holds ----------------------------------------------------------------------

    @invariant()
    def what_was_taken_is_not_sent_again_unasked(self) -> None:
        rows = Delivery.objects.filter(pk__in=self.taken - self.again)
        assert set(rows.values_list("status", flat=True)) <= {"succeeded"}

    @invariant()
    def nothing_goes_to_another_client(self) -> None:
        for of_event, of_webhook in Delivery.objects.values_list(
            "event__client", "webhook__client"
        ):
            assert of_event == of_webhook

    @invariant()
    def counters_and_rows_agree(self) -> None:
        counted = Tally.objects.filter(name="attempts").aggregate(all=Sum("count"))["all"] or 0
        assert counted == self.recorded
        rows = dict(Delivery.objects.annotate(rows=Count("attempt_set")).values_list("pk", "rows"))
        for pk, status, attempts in Delivery.objects.values_list("pk", "status", "attempts"):
            assert rows[pk] == attempts - (status == "delivering")

    @invariant()
    def each_delivery_has_one_sender(self) -> None:
        for status, worker, lease in Delivery.objects.values_list(
            "status", "claimed_by", "lease_expires_at"
        ):
            assert bool(worker) == (lease is not None) == (status == "delivering")

    def teardown(self) -> None:
        """Let all be sent: then each delivery has an end, and none is missing."""
        try:
            if not hasattr(self, "webhooks"):
                return
            for webhook in self.webhooks:
                enabling.enable(webhook=webhook)
            Delivery.objects.filter(status="delivering").update(
                lease_expires_at=timezone.now() - timedelta(seconds=1)
            )
            for _ in range(40):
                housekeeping.sweep()
                recovery.advance_all()
                self._let_time_pass()
                claimed = Claimer("host/last/1").claim(
                    now=timezone.now(), capacity=Capacity(64, 64, 64)
                )
                self.answer(("host/last/1", claimed), [True] * len(claimed))
            assert set(Delivery.objects.values_list("status", flat=True)) <= FINAL
            assert Delivery.objects.count() == self.made
            self.what_was_taken_is_not_sent_again_unasked()
        finally:
            super().teardown()


def outcome(ok: bool) -> Outcome:
    return Outcome(
        ok=ok,
        status=200 if ok else 500,
        error="" if ok else "http",
        detail="" if ok else "It answered 500.",
        started_at=timezone.now(),
        duration_ms=1,
        resolved_address=None,
        response_headers={},
        response_head="",
        timings={},
    )


@override_settings(PAVE_WEBHOOK_RETRY_SCHEDULE=[3600.0] * 9)  # not by the time that a run takes
def test_whatever_happens_each_delivery_ends_and_is_not_repeated_unasked() -> None:
    run_state_machine_as_test(
        Life, settings=settings(max_examples=15, stateful_step_count=40, deadline=None)
    )
