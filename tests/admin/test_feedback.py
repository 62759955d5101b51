"""What staff make of a client's feedback: nobody sees its words before they are published."""

import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.core.management import call_command
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse
from rest_framework.test import APIClient

from merchants.catalogue import feedback, merge, rulesets
from merchants.models import Alias, Feedback, Merchant, NormalizationRequest, Rule
from tests.factories import MerchantFactory, NormalizationRequestFactory
from tests.fixtures import Caller
from tests.merchants.cluster import run_cluster
from tests.servers import ON_SQLITE

pytestmark = pytest.mark.django_db

TEXT = "ZIVKOTOP WIDGETS"
NAME = "Zivkotop Widgets"


@pytest.fixture
def given(client_1234: Caller) -> Feedback:
    """Client 1234's word that an answer is wrong."""
    api = client_1234.api
    response = api.post("/v1/normalizations", {"description": TEXT}, format="json")
    run_cluster()
    body = {"merchant": NAME}
    path = f"/v1/normalizations/{response.json()['request_id']}/feedback"
    assert api.post(path, body, format="json").status_code == 201
    return Feedback.objects.get()


def accept(browser: Browser, feedback: Feedback, **fields: Any) -> str:
    """Press Accept as the page's form does; return the page that comes."""
    url = reverse("admin:merchants_feedback_do", args=[feedback.pk, "accept"])
    response = browser.post(url, {"text": TEXT, **fields}, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def names(api: APIClient) -> list[str]:
    return [merchant["name"] for merchant in api.get("/v1/merchants").json()["data"]]


def test_a_merchant_made_from_feedback_is_shown_once_it_is_published(
    superuser: Browser, given: Feedback, api: APIClient, stranger_api: APIClient
) -> None:
    page = accept(superuser, given, new_name=NAME)
    assert "take out names of persons" in page.casefold()
    made = Merchant.objects.get()
    for caller in (api, stranger_api):
        assert names(caller) == []
        assert caller.get("/v1/merchants?search=zivko").json()["data"] == []
        assert caller.get(f"/v1/merchants/{made.pk}").status_code == 404
    for url in (
        reverse("admin:merchants_ruleset_draft"),
        reverse("admin:merchants_merchant_change", args=[made.pk]),
    ):
        assert "out names of persons" in superuser.get(url).content.decode()
    rulesets.publish(note="Looked at", by="ann")
    assert names(stranger_api) == names(api) == [NAME]
    assert stranger_api.get(f"/v1/merchants/{made.pk}").json()["aliases"] == []
    assert "out names of persons" not in superuser.get(url).content.decode()


def test_who_corrects_an_answer_again_replaces_the_correction(
    client_1234: Caller, given: Feedback
) -> None:
    path = f"/v1/normalizations/{given.request_id}/feedback"
    again = client_1234.api.post(path, {"merchant": "Other"}, format="json")
    other = Feedback.objects.get()
    assert (again.status_code, again.json()["id"]) == (201, str(other.pk))
    assert (other.merchant_name, other.pk == given.pk) == ("Other", False)
    with pytest.raises(feedback.NotOpen):  # by who has the page of the first open
        feedback.reject(feedback=given, by="ann")
    feedback.reject(feedback=other, by="ann")
    client_1234.api.post(path, {"merchant": "Third"}, format="json")
    feedback.give(request=given.request, merchant="Fourth", by="ann")
    assert [one.merchant_name for one in Feedback.objects.order_by("id")] == [
        "Other", "Third", "Fourth",
    ]  # fmt: skip


@pytest.mark.skipif(ON_SQLITE, reason="There a row is not locked by itself.")
@pytest.mark.django_db(transaction=True)
def test_a_correction_meanwhile_does_not_undo_the_decision(
    given: Feedback, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = feedback.masked

    def decided_meanwhile(text: str) -> str:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(decide).result(20)
        return mask(text)

    def decide() -> None:
        try:
            if Feedback.objects.filter(status="open").exists():
                feedback.reject(feedback=given, by="ann")
        finally:
            connection.close()

    monkeypatch.setattr(feedback, "masked", decided_meanwhile)
    feedback.give(request=given.request, merchant="Other")
    given.refresh_from_db()
    assert (given.status, given.reviewed_by, given.merchant_name) == ("rejected", "ann", NAME)
    assert Feedback.objects.filter(status="open").get().merchant_name == "Other"


def test_a_card_number_becomes_no_name(superuser: Browser, given: Feedback) -> None:
    for fields in (
        {"new_name": "4111111111111111"},
        {"new_name": NAME, "text": "4111111111111111"},
    ):
        assert "looks like a card number" in accept(superuser, given, **fields)
    assert not Merchant.objects.exists()


def test_staff_change_the_name_before_anybody_has_seen_it(
    superuser: Browser, given: Feedback, stranger_api: APIClient
) -> None:
    accept(superuser, given, new_name=NAME)
    Merchant.objects.update(name="Widgets")
    rulesets.publish(note="Looked at", by="ann")
    assert names(stranger_api) == ["Widgets"]


@pytest.mark.parametrize("field", ["new_name", "text"])
@pytest.mark.parametrize("words", ["Jane Doe", "TRANSFER TO JANE DOE RENT", "Netflix Maria Garcia"])
def test_a_persons_name_is_refused_until_staff_say_that_it_is_none(
    superuser: Browser, given: Feedback, field: str, words: str
) -> None:
    fields = {"new_name": NAME, "text": TEXT, field: words}
    assert "looks like the name of a person" in accept(superuser, given, **fields)
    assert not Merchant.objects.exists()
    assert not Alias.objects.exists()
    given.refresh_from_db()
    assert given.status == Feedback.Status.OPEN
    accept(superuser, given, **fields, keep="on")
    assert (Merchant.objects.get().name, Alias.objects.get().text) == (
        fields["new_name"],
        fields["text"],
    )


def test_a_merchant_that_exists_needs_no_look_at_its_own_name(
    superuser: Browser, given: Feedback
) -> None:
    merchant = MerchantFactory(name="Paul Smith")
    accept(superuser, given, merchant=str(merchant.pk))
    assert Alias.objects.get().merchant == merchant


def test_nothing_is_made_of_feedback_that_somebody_has_decided_on(
    superuser: Browser, given: Feedback
) -> None:
    Feedback.objects.update(status=Feedback.Status.REJECTED)
    accept(superuser, given, new_name=NAME)
    assert not Merchant.objects.exists()


def test_what_nobody_was_shown_goes_with_the_client(
    superuser: Browser, given: Feedback, stranger_api: APIClient
) -> None:
    accept(superuser, given, new_name=NAME, text="ZWX")
    assert Rule.objects.exists()  # for an alias these words are too short
    call_command("erase_client", "1234", "--yes", stdout=io.StringIO())
    assert not Merchant.objects.exists()
    assert not Rule.objects.exists()
    rulesets.publish(note="Later", by="ann")
    assert names(stranger_api) == []


def test_a_name_that_another_client_proposed_too_stays_with_that_one(
    superuser: Browser, given: Feedback, stranger: Caller
) -> None:
    accept(superuser, given, new_name=NAME, text="ZWX")
    request = NormalizationRequestFactory(client=stranger.client)
    Feedback.objects.create(request=request, merchant=Merchant.objects.get(), merchant_name=NAME)
    call_command("erase_client", "1234", "--yes", stdout=io.StringIO())
    assert Merchant.objects.get().name == NAME
    call_command("erase_client", stranger.client.client_id, "--yes", stdout=io.StringIO())
    assert not Merchant.objects.exists()


def test_what_was_published_stays_when_the_client_is_erased(
    superuser: Browser, given: Feedback, stranger_api: APIClient
) -> None:
    accept(superuser, given, new_name=NAME)
    rulesets.publish(note="Looked at", by="ann")
    call_command("erase_client", "1234", "--yes", stdout=io.StringIO())
    assert names(stranger_api) == [NAME]


def test_a_name_that_nobody_was_shown_stays_hidden_when_it_is_merged(
    superuser: Browser, given: Feedback, stranger_api: APIClient
) -> None:
    accept(superuser, given, new_name=NAME)
    old = MerchantFactory(name="Widgets")
    merge.merge(merchant=Merchant.objects.get(name=NAME), into=old)
    rulesets.publish(note="Merged", by="ann")
    assert stranger_api.get(f"/v1/merchants/{old.pk}").json()["aliases"] == []
    assert stranger_api.get("/v1/merchants?search=zivko").json()["data"] == []


def test_what_nobody_was_shown_goes_with_the_client_after_a_merge_too(
    superuser: Browser, given: Feedback
) -> None:
    accept(superuser, given, new_name=NAME)
    old = MerchantFactory(name="Widgets")
    merge.merge(merchant=Merchant.objects.get(name=NAME), into=old)
    call_command("erase_client", "1234", "--yes", stdout=io.StringIO())
    assert list(Merchant.objects.values_list("name", flat=True)) == ["Widgets"]


def test_what_clients_see_is_not_merged_into_what_they_do_not(
    superuser: Browser, given: Feedback
) -> None:
    accept(superuser, given, new_name=NAME)
    old = MerchantFactory(name="Widgets")
    with pytest.raises(merge.CannotMerge, match="hidden"):
        merge.merge(merchant=old, into=Merchant.objects.get(name=NAME))


def test_what_has_been_removed_meanwhile_is_said(
    given: Feedback, superuser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a transaction by the erasure of its client, between the page and what it does."""
    request, give = given.request, feedback.give

    def give_of_removed(**fields: Any) -> Feedback:
        Feedback.objects.all().delete()
        NormalizationRequest.objects.all().delete()
        return give(**fields)

    monkeypatch.setattr(feedback, "give", give_of_removed)
    url = reverse("admin:merchants_normalizationrequest_do", args=[request.pk, "wrong"])
    response = superuser.post(url, {"merchant": NAME, "comment": "no"})
    assert response.status_code == 302
    said = [str(message) for message in get_messages(response.wsgi_request)]
    assert said == ["It has been removed meanwhile."]
