"""The draft is changed or published by one at a time, so that nothing is published by halves."""

from dataclasses import replace
from unittest import mock

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection, transaction
from django.test import RequestFactory

from merchants.catalogue import draft, feedback, importer, merge, rulesets
from merchants.catalogue.sources.records import MerchantRecord
from merchants.models import Feedback, Merchant, Rule
from merchants.requests import erasure
from pave.core.database import advisory_locks, lock_limit
from tests.factories import ClientFactory, MerchantFactory, NormalizationRequestFactory
from tests.merchants.test_cancellation import another_connection

pytestmark = pytest.mark.django_db(transaction=True)


def page_of(model):
    """Return the staff's page of a model."""
    return admin.site.get_model_admin(model)


def by_staff(data=None):
    """Return a request of staff's that can be told something."""
    request = RequestFactory().post("/", data or {})
    request._messages = mock.MagicMock()
    request._dont_enforce_csrf_checks = True
    request.user = get_user_model().objects.get_or_create(username="s", is_superuser=True)[0]
    return request


def sent(row, **changed):
    """Return what the form of a row's page sends when it has just been opened."""
    page = page_of(type(row))
    form = page.get_form(by_staff(), row)(instance=row)
    data = {name: form[name].value() for name in form.fields}
    for inline in page.get_inline_instances(by_staff(), row):
        formset = inline.get_formset(by_staff(), row)(instance=row)
        for each in (formset.management_form, *formset.forms):
            data |= {each.add_prefix(name): each[name].value() for name in each.fields}
    data |= changed
    return {name: value for name, value in data.items() if value is not None and value is not False}


def saved_by_staff(row, data=None):
    """Send the form of a row's page; return the answer: 302 if it was saved."""
    data = sent(row) if data is None else data
    return page_of(type(row)).changeform_view(by_staff(data), str(row.pk))


CHANGES = {
    "publish": lambda: rulesets.publish(note="n", by="b"),
    "publish what was looked at": lambda: draft.publish(
        seen_fingerprint=draft.fingerprint(), note="n", by="b"
    ),
    "roll back": lambda: rulesets.roll_back(to=rulesets.current(), by="b"),
    "merge": lambda: merge.merge(merchant=MerchantFactory(), into=MerchantFactory()),
    "import": lambda: importer.import_records([], note="n"),
    "erase": lambda: list(erasure.erase(client=ClientFactory())),
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
        cursor.execute("SELECT pg_advisory_lock(%s)", [advisory_locks.Lock.DRAFT.value])
        with pytest.raises((OperationalError, lock_limit.Locked), match="lock timeout"):
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
    steps = erasure.erase(client=request.client)
    next(steps)
    with pytest.raises(feedback.ClientInactive):
        feedback.accept(feedback=given, merchant=None, by="b", new_name="Zorblax Secret")
    list(steps)
    assert not Merchant.objects.exists()


def test_feedback_follows_a_merchant_that_has_just_been_merged():
    given = feedback.give(request=NormalizationRequestFactory(), merchant="Old")
    old, new = MerchantFactory(name="Old"), MerchantFactory(name="New")
    stale = Merchant.objects.get(pk=old.pk)
    merge.merge(merchant=old, into=new)
    made = feedback.accept(feedback=given, merchant=stale, by="b", text="ZORBLAX GRILL")
    assert made.merchant == new
    Merchant.objects.filter(pk=new.pk).update(active=False)
    again = feedback.give(request=NormalizationRequestFactory(), merchant="Old")
    with pytest.raises(feedback.MerchantGone):
        feedback.accept(feedback=again, merchant=stale, by="b", text="ZORBLAX GRILL")


def test_what_others_changed_since_a_page_was_opened_is_not_written_over():
    merchant, other = MerchantFactory(name="Old"), MerchantFactory(name="New")
    opened = sent(merchant, wikidata="Q5")
    merge.merge(merchant=merchant, into=other)
    answer = saved_by_staff(merchant, opened)
    assert answer.status_code == 200
    assert "Somebody else has changed this" in answer.render().content.decode()
    merchant.refresh_from_db()
    assert (merchant.active, merchant.merged_into, merchant.wikidata) == (False, other, "")
    assert saved_by_staff(merchant, sent(merchant, wikidata="Q5")).status_code == 302
    merchant.refresh_from_db()
    assert (merchant.merged_into, merchant.wikidata) == (other, "Q5")


def test_neither_are_its_aliases():
    merchant, other = MerchantFactory(name="Old"), MerchantFactory(name="New")
    merchant.aliases.create(text="FOO BAR")
    opened = sent(merchant, **{"aliases-0-text": "FOO BAZ"})
    merge.merge(merchant=merchant, into=other)
    assert saved_by_staff(merchant, opened).status_code == 200
    assert not merchant.aliases.exists()
    assert set(other.aliases.values_list("text", flat=True)) == {"FOO BAR", "Old"}


def test_what_is_written_without_waiting_for_the_draft_stays(monkeypatch):
    rule = Rule.objects.create(kind="exact", pattern="x")
    form = sent(rule, note="why")
    monkeypatch.setattr(Rule, "clean", lambda self: Rule.objects.update(hits=7))
    assert saved_by_staff(rule, form).status_code == 302
    rule.refresh_from_db()
    assert (rule.note, rule.hits) == ("why", 7)


def test_a_rule_for_a_merged_merchant_is_refused_with_its_heir():
    merchant, other = MerchantFactory(name="Old"), MerchantFactory(name="New")
    rule = Rule.objects.create(kind="exact", pattern="x")
    form = sent(rule, merchant=str(merchant.pk))
    merge.merge(merchant=merchant, into=other)
    answer = saved_by_staff(rule, form)
    assert "it was merged into New" in answer.render().content.decode()
    rule.refresh_from_db()
    assert rule.merchant is None


def test_a_merge_waits_for_no_answer_that_names_the_merchant():
    old, new = MerchantFactory(), MerchantFactory()
    with another_connection() as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT id FROM merchants_merchant WHERE id = %s FOR KEY SHARE", [old.pk])
        hurried(lambda: merge.merge(merchant=old, into=new))
        cursor.execute("COMMIT")
    old.refresh_from_db()
    assert old.merged_into == new


@pytest.mark.parametrize("change", [{"name": "Renamed"}, {"aliases": ("FOO BAR",)}])
def test_what_an_import_changed_is_not_written_over(change):
    record = MerchantRecord(key="Q1", name="Old")
    importer.import_records([record], note="n")
    merchant = Merchant.objects.get()
    opened = sent(merchant, wikidata="Q5")
    importer.import_records([replace(record, **change)], note="n")
    assert saved_by_staff(merchant, opened).status_code == 200
    assert sent(Merchant.objects.get())["name"] == change.get("name", "Old")
