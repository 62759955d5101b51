"""Anything that a caller reads out leads to the right page."""

import pytest
from django.test import Client as Browser
from django.urls import reverse

from merchants.models import NormalizationRequest
from pave.clients import api_keys
from tests.factories import AliasFactory, MerchantFactory, NormalizationRequestFactory
from webhooks.models import Delivery


@pytest.fixture
def taken(failed_delivery: Delivery) -> NormalizationRequest:
    return NormalizationRequest.objects.get(pk=failed_delivery.event.subject_id)


def _leads_to(browser: Browser, text: str) -> str:
    response = browser.get(reverse("admin:search"), {"q": text})
    return response.headers.get("Location", response.content.decode())


def test_ids_lead_to_their_pages(
    superuser: Browser, failed_delivery: Delivery, taken: NormalizationRequest
) -> None:
    event, webhook = failed_delivery.event, failed_delivery.webhook
    for pk, page in (
        (taken.pk, "merchants_normalizationrequest"),
        (failed_delivery.pk, "webhooks_delivery"),
        (event.pk, "webhooks_event"),
        (webhook.pk, "webhooks_webhook"),
    ):
        assert _leads_to(superuser, f" {pk} ") == reverse(f"admin:{page}_change", args=[pk])


def test_a_reference_leads_to_its_request(superuser: Browser, taken: NormalizationRequest) -> None:
    assert str(taken.pk) in _leads_to(superuser, "order-17")


def test_a_reference_of_two_clients_lists_both(
    superuser: Browser, taken: NormalizationRequest
) -> None:
    other = NormalizationRequestFactory(reference="order-17")
    page = _leads_to(superuser, "order-17")
    assert str(taken.pk) in page
    assert str(other.pk) in page


def test_the_beginning_of_a_descriptor_is_enough_however_it_is_written(
    superuser: Browser, taken: NormalizationRequest
) -> None:
    NormalizationRequestFactory(description="NETFLIX.COM AMSTERDAM")
    assert "NETFLIX.COM AMSTERDAM" in _leads_to(superuser, "netflix.com")


def test_a_url_a_client_and_the_beginning_of_a_key_are_found(
    superuser: Browser, failed_delivery: Delivery
) -> None:
    webhook = failed_delivery.webhook
    key, secret = api_keys.issue(client=webhook.client)
    page = reverse("admin:webhooks_webhook_change", args=[webhook.pk])
    assert _leads_to(superuser, "client.example/webhook") == page
    client = reverse("admin:clients_client_change", args=[webhook.client_id])
    assert _leads_to(superuser, "Northwind") == client
    found = reverse("admin:clients_apikey_change", args=[key.prefix])
    assert _leads_to(superuser, secret) == found


def test_merchants_are_found_by_name_alias_and_domain(superuser: Browser, db: None) -> None:
    merchant = MerchantFactory(name="Joe's Coffee", website="https://joes.example")
    AliasFactory(merchant=merchant, text="JOES ESPRESSO")
    page = reverse("admin:merchants_merchant_change", args=[merchant.pk])
    for text in ("joe's c", "espresso", "joes.example", str(merchant.pk)):
        assert _leads_to(superuser, text) == page
        listed = superuser.get(reverse("admin:merchants_merchant_changelist"), {"q": text})
        assert page in listed.content.decode()


@pytest.mark.parametrize("text", ["", " ", "nothing like it", "\0", "%", "x" * 5000, "' OR 1=1"])
def test_what_is_not_found_is_said(superuser: Browser, text: str) -> None:
    response = superuser.get(reverse("admin:search"), {"q": text})
    assert response.status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "merchants_normalizationrequest", "webhooks_delivery", "webhooks_event",
        "webhooks_webhook", "merchants_resolution", "clients_apikey", "staff_auditentry",
    ],
)  # fmt: skip
def test_lists_take_any_search_text(superuser: Browser, taken: object, name: str) -> None:
    url = reverse(f"admin:{name}_changelist")
    for text in ("no uuid", str(taken.pk), "%_'\"", "x" * 600):  # type: ignore[attr-defined]  # made by a factory
        assert superuser.get(url, {"q": text}).status_code == 200
