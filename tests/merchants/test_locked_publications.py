"""A row that somebody has locked and forgotten stops no publication and no other's corrections."""

import re
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from unittest import mock

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from merchants.catalogue import draft, importer, rulesets
from merchants.catalogue.sources.shipped import load_shipped
from merchants.models import Batch, Merchant, NormalizationRequest, Revision, Rule
from merchants.requests import admission, revision, submission
from pave.core.database import advisory_locks, lock_limit, locked_rows
from tests.factories import MerchantFactory, WebhookFactory
from tests.locks import FOR_UPDATE, locked
from tests.merchants.batching import post
from tests.merchants.cluster import run_cluster
from tests.servers import ON_SQLITE
from webhooks.models import Event

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ON_SQLITE, reason="There a row is not locked by itself."),
]


COFFEE = "SQ *BLUE BOTTLE COFFEE OAKLAND CA"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    for module in (admission, revision, rulesets):
        monkeypatch.setattr(module, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(revision, "LOCKED_PAUSE", timedelta(0))


def revise_one_by_one():
    with mock.patch.object(revision, "BATCH", 1):
        revision.revise()


def test_a_webhook_that_can_get_no_event_stops_no_publication(submit, client_1234):
    request = submit("QUUXBERRY GARDENS 123 BERLIN")
    run_cluster()
    webhook = WebhookFactory(client=client_1234.client)
    MerchantFactory(name="Quuxberry Gardens")
    rulesets.publish(note="one more", by="test")
    with locked(webhook, by=FOR_UPDATE):
        revision.revise()
        rulesets.publish(note="another", by="test")
    for _ in range(3):
        run_cluster()
        revision.revise()
    request.refresh_from_db()
    assert request.resolution.merchant.name == "Quuxberry Gardens"


def test_who_is_locked_is_revised_after_all_others(submit, client_1234, stranger, monkeypatch):
    monkeypatch.setattr(locked_rows, "EACH_SECONDS", 0.05)
    one, other = client_1234.client, stranger.client
    of_one, of_other = (
        submission.submit(client=client, fields={"description": COFFEE}) for client in (one, other)
    )
    run_cluster()
    webhook = WebhookFactory(client=one)
    WebhookFactory(client=other)
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=MerchantFactory(name="A"))
    rulesets.publish(note="a rule", by="test")
    told = Event.objects.filter(type="normalization.updated")
    with locked(webhook, by=FOR_UPDATE):
        # Its request is the older one, and each is in a batch of its own.
        revise_one_by_one()
        assert list(told.values_list("subject_id", flat=True)) == [of_other.pk]
        job = Revision.objects.latest("id")
        assert (job.status, job.examined, job.changed) == ("running", 1, 1)
        # It is waited for no longer than it takes to see that it is still locked, and not at once.
        with CaptureQueriesContext(connection) as asked:
            revise_one_by_one()
        waited = re.findall(r"set_config\('lock_timeout', '(\d+)'", str(asked.captured_queries))
        assert set(waited) == {"50"}
        monkeypatch.setattr(revision, "LOCKED_PAUSE", timedelta(seconds=15))
        revise_one_by_one()
        revise_one_by_one()
        job.refresh_from_db()
        assert job.lease_expires_at > timezone.now()
        Revision.objects.update(lease_expires_at=None)
    revision.sweep()
    revise_one_by_one()
    job.refresh_from_db()
    assert (job.status, job.examined, job.changed) == ("done", 2, 2)
    assert set(told.values_list("subject_id", flat=True)) == {of_one.pk, of_other.pk}


def test_what_is_answered_while_a_revision_waits_hides_nothing_from_it(
    submit, client_1234, stranger, monkeypatch
):
    """It goes by what it has read before, whatever has come since."""
    earlier = submission.submit(client=stranger.client, fields={"description": COFFEE})
    submit(COFFEE)
    run_cluster()
    webhook = WebhookFactory(client=client_1234.client)
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=MerchantFactory(name="A"))
    rulesets.publish(note="a rule", by="test")
    revise_batch = revision._revise_batch

    def revise_then_answer(*arguments):
        try:
            return revise_batch(*arguments)
        except lock_limit.Locked:
            submission.submit(client=stranger.client, fields={"description": "SHOP"})
            run_cluster()
            raise

    monkeypatch.setattr(revision, "BATCH", 2)
    monkeypatch.setattr(revision, "_revise_batch", revise_then_answer)
    with locked(webhook, by=FOR_UPDATE):
        revision.revise()
    earlier.refresh_from_db()
    assert earlier.resolution.merchant.name == "A"


def test_batches_of_others_are_told_of_corrections_before_a_locked_client_is_revised(
    api, client_1234, stranger
):
    submission.submit(client=stranger.client, fields={"description": COFFEE})
    post(api, [{"description": COFFEE}])
    run_cluster()
    WebhookFactory(client=client_1234.client)
    webhook = WebhookFactory(client=stranger.client)
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=MerchantFactory(name="A"))
    rulesets.publish(note="a rule", by="test")
    with locked(webhook, by=FOR_UPDATE):
        revise_one_by_one()
        assert Event.objects.filter(type="batch.updated").count() == 1
        assert Revision.objects.latest("id").status == "running"


def test_a_revision_lets_others_publish_while_it_waits(monkeypatch, api):
    monkeypatch.setattr(revision, "SLICE_SECONDS", 0.5)
    post(api, [{"description": COFFEE}])
    run_cluster()
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=MerchantFactory(name="A"))
    rulesets.publish(note="a rule", by="test")
    with locked(Batch.objects.get()):
        revision.revise()
        assert Revision.objects.get().status == "running"
    while revision.revise():
        pass
    assert NormalizationRequest.objects.get().resolution.answer["merchant"]["name"] == "A"
    assert Batch.objects.get().corrected == 1


def test_a_publication_that_meets_a_locked_row_is_refused(submit, superuser):
    first = rulesets.current()
    rule = Rule.objects.create(kind="contains", pattern="a b", merchant=MerchantFactory())
    rulesets.publish(note="a rule", by="test")
    back = reverse("admin:merchants_ruleset_do", args=[first.pk, "roll_back"])
    here = reverse("admin:merchants_ruleset_draft")
    with locked(Revision.objects.get()):
        assert "keeps something locked" in superuser.post(back, follow=True).content.decode()
        rule.delete()
        form = {"note": "none", "fingerprint": draft.fingerprint()}
        assert "keeps something locked" in superuser.post(here, form, follow=True).content.decode()
        assert rulesets.current().note == "a rule"
        submit("SHOP")
        assert admission.admit_batch() == 1
    assert superuser.post(here, form).status_code == 302
    assert rulesets.current().note == "none"


def test_a_publication_waits_for_no_answer_that_is_not_stored_in_time(submit):
    rulesets.current()
    Rule.objects.create(kind="contains", pattern="a b", merchant=MerchantFactory())
    other = connection.copy()
    with closing(other), other.cursor() as cursor:
        cursor.execute("BEGIN")
        lock = advisory_locks.Lock.PUBLISHING.value
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [lock])
        with pytest.raises(lock_limit.Locked):
            rulesets.publish(note="a rule", by="test")
        submit("SHOP")
        assert admission.admit_batch() == 1


def test_an_import_that_meets_a_locked_merchant_is_refused():
    records = load_shipped()[:2]
    importer.import_records(records, note="first")
    first, second = (replace(record, name=f"{record.name} II") for record in records)
    with locked(Merchant.objects.get(name=records[0].name)), pytest.raises(lock_limit.Locked):
        importer.import_records([first, second], note="second")
    assert not Merchant.objects.filter(name__endswith=" II").exists()
    importer.import_records([first, second], note="second")
    assert Merchant.objects.filter(name__endswith=" II").count() == 2
