"""The draft is changed or published by one at a time, so that nothing is published by halves."""

from unittest import mock

import pytest
from django.contrib import admin
from django.db import OperationalError, connection, transaction
from django.http import Http404
from django.test import RequestFactory

from merchants import catalogue, drafting, erasing, feedback, merging, rulesets
from merchants.models import Feedback, Merchant, Rule
from pave import advisory
from tests.factories import ClientFactory, MerchantFactory, NormalizationRequestFactory
from tests.merchants.test_canceling import another_connection

pytestmark = pytest.mark.django_db(transaction=True)


def page_of(model):
    """Return the staff's page of a model."""
    return admin.site.get_model_admin(model)


def by_staff():
    """Return a request of staff's that can be told something."""
    request = RequestFactory().post("/")
    request._messages = mock.Mock()
    return request


def saved_by_staff(row):
    """Save a row as its page does."""
    page_of(type(row)).save(by_staff(), row, None, change=False)


CHANGES = {
    "publish": lambda: rulesets.publish(note="n", by="b"),
    "publish what was looked at": lambda: drafting.publish(
        looked_at=drafting.fingerprint(), note="n", by="b"
    ),
    "roll back": lambda: rulesets.roll_back(to=rulesets.current(), by="b"),
    "merge": lambda: merging.merge(merchant=MerchantFactory(), into=MerchantFactory()),
    "import": lambda: catalogue.import_records([], note="n"),
    "erase": lambda: list(erasing.erase(client=ClientFactory())),
    "staff who save a merchant": lambda: saved_by_staff(MerchantFactory()),
    "staff who save a rule": lambda: saved_by_staff(Rule.objects.create(kind="exact", pattern="x")),
    "staff who delete a rule": lambda: page_of(Rule).delete_model(
        by_staff(), Rule.objects.create(kind="exact", pattern="x")
    ),
    "staff who delete rules": lambda: page_of(Rule).delete_queryset(by_staff(), Rule.objects.all()),
    "feedback": lambda: feedback.accept(
        feedback=Feedback.objects.create(
            request=NormalizationRequestFactory(description="ZORBLAX GRILL"), merchant_name="Z"
        ),
        merchant=None,
        by="b",
        new_name="Zorblax",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_who_changes_it_waits_for_who_does(name):
    rulesets.current()
    with another_connection() as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [advisory.Lock.DRAFT.value])
        with pytest.raises(OperationalError, match="lock timeout"):
            hurried(CHANGES[name])
    CHANGES[name]()


def hurried(change):
    """Make a change that waits for no lock."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '50ms'")
        change()


def test_nothing_is_made_of_what_a_client_said_that_is_being_erased():
    request = NormalizationRequestFactory(description="ZORBLAX GRILL")
    given = feedback.give(request=request, merchant="Zorblax Secret")
    steps = erasing.erase(client=request.client)
    next(steps)
    with pytest.raises(feedback.ClientInactive):
        feedback.accept(feedback=given, merchant=None, by="b", new_name="Zorblax Secret")
    list(steps)
    assert not Merchant.objects.exists()


def test_feedback_follows_a_merchant_that_has_just_been_merged():
    given = feedback.give(request=NormalizationRequestFactory(), merchant="Old")
    old, new = MerchantFactory(name="Old"), MerchantFactory(name="New")
    stale = Merchant.objects.get(pk=old.pk)
    merging.merge(merchant=old, into=new)
    made = feedback.accept(feedback=given, merchant=stale, by="b", text="ZORBLAX GRILL")
    assert made.merchant == new
    Merchant.objects.filter(pk=new.pk).update(active=False)
    again = feedback.give(request=NormalizationRequestFactory(), merchant="Old")
    with pytest.raises(feedback.MerchantGone):
        feedback.accept(feedback=again, merchant=stale, by="b", text="ZORBLAX GRILL")


@transaction.atomic
def renamed_by_staff(loaded):
    """Save a new name of a merchant that was loaded a while ago."""
    loaded.name = "New"
    page_of(Merchant).save(by_staff(), loaded, mock.Mock(changed_data=["name"]), change=True)


def test_staff_write_what_they_changed_and_not_what_others_did_meanwhile():
    merchant = MerchantFactory(name="Old", published=False)
    loaded = Merchant.objects.get(pk=merchant.pk)
    rulesets.publish(note="n", by="b")
    renamed_by_staff(loaded)
    merchant.refresh_from_db()
    assert (merchant.name, merchant.published) == ("New", True)
    merchant.delete()
    with pytest.raises(Http404):
        renamed_by_staff(loaded)
    assert not Merchant.objects.exists()


def test_a_merge_waits_for_no_answer_that_names_the_merchant():
    old, new = MerchantFactory(), MerchantFactory()
    with another_connection() as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT id FROM merchants_merchant WHERE id = %s FOR KEY SHARE", [old.pk])
        hurried(lambda: merging.merge(merchant=old, into=new))
        cursor.execute("COMMIT")
    old.refresh_from_db()
    assert old.merged_into == new
