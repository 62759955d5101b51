"""What goes after PAVE_RETENTION_DAYS, and what stays however old it is."""

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from merchants import retention as merchant_retention
from merchants.models import Feedback, NormalizationRequest, Resolution, Ruleset
from merchants.requests.resolutions import lookup
from merchants.requests.resolutions.keys import StoredKey
from pave.core.ids import first_id_at
from pave.operations import retention
from pave.operations.models import CacheEntry
from pave.staff.models import AuditEntry
from tests.factories import (
    DeliveryFactory,
    EventFactory,
    NormalizationRequestFactory,
    ResolutionFactory,
)
from webhooks.delivery import recovery
from webhooks.endpoints import enabling
from webhooks.models import Delivery, DeliveryAttempt, Event, Webhook

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

OLD = timedelta(days=200)
Status = NormalizationRequest.Status


def prune():
    return sum(retention.prune())


def request_of(age, *, status=Status.COMPLETED, **fields):
    moment = timezone.now() - age
    return NormalizationRequestFactory(
        pk=first_id_at(moment),
        created_at=moment,
        completed_at=None if status in (Status.QUEUED, Status.PROCESSING) else moment,
        status=status,
        **fields,
    )


def delivery_of(request, status):
    age = timezone.now() - request.created_at
    event = EventFactory(
        pk=first_id_at(request.created_at),
        client=request.client,
        subject_id=request.pk,
        created_at=request.created_at,
    )
    delivery = DeliveryFactory(
        event=event,
        webhook__client=request.client,
        status=status,
        next_attempt_at=None,
        created_at=request.created_at,
    )
    DeliveryAttempt.objects.create(
        delivery=delivery, number=1, url="https://c.example", started_at=timezone.now() - age
    )
    return delivery


def test_what_is_old_and_final_goes_with_its_deliveries_and_attempts():
    delivery_of(request_of(OLD), Delivery.Status.SUCCEEDED)
    assert prune() > 0
    assert not NormalizationRequest.objects.exists()
    assert not Event.objects.exists()
    assert not Delivery.objects.exists()
    assert not DeliveryAttempt.objects.exists()


@pytest.mark.parametrize("status", [Status.QUEUED, Status.PROCESSING])
def test_a_request_without_an_end_stays_however_old_it_is(status):
    request_of(OLD, status=status)
    assert prune() == 0


@pytest.mark.parametrize("status", [Delivery.Status.PENDING, Delivery.Status.DELIVERING])
def test_what_has_still_to_be_delivered_stays_with_its_request(status):
    delivery_of(request_of(OLD), status)
    prune()
    assert Delivery.objects.count() == NormalizationRequest.objects.count() == 1


def test_what_is_held_goes_when_it_is_as_old():
    delivery_of(request_of(OLD), Delivery.Status.HELD)
    prune()
    assert not Delivery.objects.exists()
    assert not NormalizationRequest.objects.exists()


@pytest.mark.parametrize(
    ("status", "days"), [(Delivery.Status.SUCCEEDED, 80), (Delivery.Status.HELD, 29)]
)
def test_what_is_young_stays(status, days):
    delivery = delivery_of(request_of(timedelta(days=days)), status)
    Webhook.objects.update(enabled=False)
    assert prune() == 0
    delivery.refresh_from_db()
    assert delivery.status == status


def test_what_was_held_for_a_month_is_sent_only_if_somebody_asks_for_it():
    delivery = delivery_of(request_of(timedelta(days=31)), Delivery.Status.HELD)
    webhook = delivery.webhook
    enabling.disable(webhook_id=webhook.pk, by="client")
    prune()
    delivery.refresh_from_db()
    assert delivery.status == "failed"
    enabling.enable(webhook=webhook)
    delivery.refresh_from_db()
    assert delivery.status == "failed"
    now = timezone.now()
    assert recovery.start(webhook=webhook, since=now - timedelta(days=40), until=now).total == 1


def test_what_is_held_for_an_enabled_webhook_is_about_to_be_sent():
    delivery = delivery_of(request_of(timedelta(days=31)), Delivery.Status.HELD)
    prune()
    delivery.refresh_from_db()
    assert delivery.status == "held"


def test_a_request_with_feedback_to_be_looked_at_stays_until_that_is_as_old():
    open_one = request_of(OLD)
    Feedback.objects.create(request=open_one, merchant_name="Other")
    forgotten = request_of(OLD + timedelta(days=2))
    Feedback.objects.create(request=forgotten, merchant_name="Other")
    Feedback.objects.filter(request=forgotten).update(created_at=timezone.now() - OLD)
    closed = request_of(OLD + timedelta(days=1))
    Feedback.objects.create(request=closed, merchant_name="Other", status=Feedback.Status.REJECTED)
    prune()
    assert list(NormalizationRequest.objects.all()) == [open_one]


def test_the_audit_trail_keeps_who_did_what_to_a_transaction_but_not_its_text():
    taken = request_of(timedelta(days=1), description="erased")
    for action in ("this is wrong", "opened"):
        AuditEntry.objects.create(
            username="alice",
            action=action,
            model="merchants.normalizationrequest",
            object_id=str(taken.pk),
            object_name=taken.description if action != "opened" else "",
            changes={"given: comment": ["", "She means SWEDISH MARKET"]},
        )
    prune()
    assert AuditEntry.objects.exclude(changes={}).count() == 2
    AuditEntry.objects.update(at=timezone.now() - timedelta(days=91))
    prune()
    assert set(AuditEntry.objects.values_list("username", "object_name")) == {("alice", "erased")}
    assert list(AuditEntry.objects.values_list("changes", flat=True)) == [{}, {}]
    assert prune() == 0


def test_what_is_renewed_while_it_is_removed_stays():
    now = timezone.now()
    CacheEntry.objects.create(cache_key="k", value="", expires=now - OLD)

    def renewed(rows):
        CacheEntry.objects.update(expires=now + OLD)
        return rows

    expired = CacheEntry.objects.filter(expires__lt=now)
    assert [*retention.Expiry("cache entries", expired, renewed).walk()] == [(1, 0)]
    assert CacheEntry.objects.count() == 1


def test_an_answer_goes_when_nobody_has_asked_for_it_within_the_time():
    moment = timezone.now() - OLD
    old = {"finished_at": moment, "status": Resolution.Status.RESOLVED}
    forgotten = ResolutionFactory(pk=first_id_at(moment), **old)
    asked = ResolutionFactory(
        pk=first_id_at(moment - timedelta(days=1)), ruleset=forgotten.ruleset, **old
    )
    request_of(timedelta(days=1), resolution=asked)
    prune()
    assert list(Resolution.objects.all()) == [asked]


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_is_just_being_given_stays(client_1234):
    if connection.vendor == "sqlite":
        return  # one transaction at a time: there is nothing in between
    answer, request = old_answer(), request_of(timedelta(0), client=client_1234.client)
    with transaction.atomic(), ThreadPoolExecutor() as elsewhere:
        found = lookup.find_or_create(askers(answer, request), answer.ruleset, timezone.now())
        assert elsewhere.submit(in_a_thread, prune).result() == 0
        NormalizationRequest.objects.filter(pk=request.pk).update(resolution=found[answer.key])
    assert Resolution.objects.get() == answer


@pytest.mark.django_db(transaction=True)
def test_who_gives_an_answer_holds_up_nobody_who_asks_for_it(client_1234):
    """Else two admissions could wait for each other."""
    if connection.vendor == "sqlite":
        return  # as above
    answer, request = old_answer(), request_of(timedelta(0), client=client_1234.client)
    asked = {answer.key: StoredKey(answer.key, None)}
    with transaction.atomic(), ThreadPoolExecutor() as elsewhere:
        lookup.find_or_create(askers(answer, request), answer.ruleset, timezone.now())
        locking = elsewhere.submit(in_a_thread, lambda: locked(asked, answer.ruleset))
        assert locking.result(timeout=20) == [answer]


@transaction.atomic
def locked(keys, ruleset):
    return lookup._locked(keys, set(keys), ruleset)[0]


def test_an_answer_that_went_just_before_it_was_given_is_asked_for_anew(client_1234, monkeypatch):
    if connection.vendor == "sqlite":
        return  # as above
    answer, request = old_answer(), request_of(timedelta(0), client=client_1234.client)
    still_valid = lookup._still_valid

    def pruned(*arguments):
        valid = still_valid(*arguments)
        prune()
        return valid

    monkeypatch.setattr(lookup, "_still_valid", pruned)
    with transaction.atomic():
        found = lookup.find_or_create(askers(answer, request), answer.ruleset, timezone.now())
    assert found[answer.key] != answer
    assert found[answer.key].status == "pending"


def old_answer():
    moment = timezone.now() - OLD
    return ResolutionFactory(
        pk=first_id_at(moment), finished_at=moment, status=Resolution.Status.RESOLVED
    )


def askers(answer, request):
    return {StoredKey(answer.key, None): [request]}


def in_a_thread(work):
    try:
        return work()
    finally:
        connection.close()


def test_what_no_client_sent_goes_too(settings):
    now = timezone.now()
    for age in (timedelta(days=-1), timedelta(days=1)):
        CacheEntry.objects.create(cache_key=f"{age}", value="", expires=now - age)
    for age in (timedelta(hours=1), timedelta(days=2)):
        attempt = AccessAttempt.objects.create(failures_since_start=1, username="jane")
        AccessAttempt.objects.filter(pk=attempt.pk).update(attempt_time=now - age)
    settings.PAVE_AUDIT_DAYS = 30
    for age in (timedelta(days=29), timedelta(days=31)):
        entry = AuditEntry.objects.create(username="ann", action="x")
        AuditEntry.objects.filter(pk=entry.pk).update(at=now - age)
    prune()
    left = [model.objects.count() for model in (CacheEntry, AccessAttempt, AuditEntry)]
    assert left == [1, 1, 1]


def test_many_rows_go_in_several_transactions(monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 10)
    for day in range(35):
        request_of(OLD + timedelta(days=day))
    [requests] = [one for one in retention.expiries() if one.name == "requests"]
    assert [removed for _, removed in requests.walk()] == [10, 10, 10, 5]


def test_the_command_says_what_went():
    request_of(OLD)
    request_of(OLD + timedelta(days=1), status=Status.PROCESSING)
    output = io.StringIO()
    call_command("prune", stdout=output)
    assert "requests: 1 removed, 1 stay" in output.getvalue()


def test_a_dry_run_removes_nothing():
    request_of(OLD)
    output = io.StringIO()
    call_command("prune", "--dry-run", stdout=output)
    assert "requests: 1 are old enough" in output.getvalue()
    assert NormalizationRequest.objects.count() == 1


def test_rulesets_stay_from_the_oldest_on_that_an_answer_is_of(monkeypatch):
    """What each of them changed is needed to tell whether an older answer still counts."""
    monkeypatch.setattr(merchant_retention, "RULESETS_KEPT", 1)
    Ruleset.objects.create(content=b"")
    answering, between, newest = (Ruleset.objects.create(content=b"") for _ in range(3))
    Ruleset.objects.update(published_at=timezone.now() - OLD)
    ResolutionFactory(ruleset=answering)
    prune()
    assert list(Ruleset.objects.order_by("number")) == [answering, between, newest]
