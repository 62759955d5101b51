"""What functions make of rows for speed, and what their serializers describe, is the same."""

import json
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.serializers import Serializer

from merchants.api.representations import (
    BatchDataSerializer,
    BatchSerializer,
    MerchantSerializer,
    NormalizationDataSerializer,
    NormalizationSerializer,
    UsageSerializer,
    batch_object,
    merchant_object,
    normalization_object,
)
from merchants.api.serializers import TransactionSerializer
from merchants.models import Alias, Batch, Merchant, NormalizationRequest
from merchants.requests import admission, usage, worker
from merchants.requests.events import describe, describe_batch
from pave.clients.models import Client
from tests.factories import (
    ClientFactory,
    DeliveryFactory,
    EventFactory,
    MerchantFactory,
    NormalizationRequestFactory,
)
from webhooks.api.representations import WebhookSerializer
from webhooks.api.serializers import NewWebhookSerializer

pytestmark = pytest.mark.django_db
SENT = {
    "description": "SQ *KRUSTY BURGER 0042 SPRINGFIELD IL",
    "amount": "5.25",
    "currency": "USD",
    "date": "2026-11-20",
    "mcc": "5814",
    "country": "US",
    "city": "Springfield",
    "reference": "t-1",
    "metadata": {"order": "7"},
}


@pytest.fixture
def krusty() -> Merchant:
    """A merchant of which everything is known."""
    merchant = MerchantFactory(
        name="Krusty Burger",
        website="https://krusty.example",
        wikidata="Q42",
        mccs=["5814"],
        category="fast_food",
        countries=["US"],
        logo_url="https://krusty.example/logo.svg",
        merged_into=MerchantFactory(),
    )
    Alias.objects.create(merchant=merchant, text="KRUSTY BURGER", published=True)
    return merchant


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def assert_same(serializer: type[Serializer], shown: dict[str, Any]) -> None:
    """Each member is described, none besides, and each has the form that is described."""
    assert as_json(serializer(shown).data) == as_json(shown)


def empty_members(value: Any) -> list[str]:
    """Return the members that say nothing."""
    return [name for name, member in value.items() if member in (None, [], {}, "")]


def test_a_full_normalization(api, webhook, krusty) -> None:
    krusty.merged_into = None
    krusty.save()
    api.post("/v1/batches", {"transactions": [SENT], "deliver": "each"}, format="json")
    while admission.admit_batch() or worker.resolve_due():
        pass
    request = NormalizationRequest.objects.select_related("resolution").get()
    shown = normalization_object(request)
    assert empty_members(shown) == ["error"]
    assert empty_members(shown["transaction"]) == []
    assert {**shown["transaction"], "metadata": shown["metadata"]} == SENT
    assert_same(NormalizationSerializer, shown)
    assert_same(NormalizationDataSerializer, describe(request, request.resolution))


def test_an_empty_normalization() -> None:
    request = NormalizationRequestFactory(amount="", currency="", date=None, reference="")
    assert_same(NormalizationSerializer, normalization_object(request))
    assert_same(NormalizationDataSerializer, describe(request, None))


def test_one_that_failed() -> None:
    request = NormalizationRequestFactory(
        status="failed", error="It took too long.", completed_at=timezone.now()
    )
    assert_same(NormalizationDataSerializer, describe(request, None))


def test_a_batch(api, webhook) -> None:
    rows = [SENT, {"description": ""}]
    api.post("/v1/batches", {"transactions": rows}, format="json")
    while admission.admit_batch() or worker.resolve_due():
        pass
    batch = Batch.objects.get()
    shown = batch_object(batch)
    assert empty_members(shown) == []
    assert_same(BatchSerializer, shown)
    batch.completed_at, batch.errors = None, []
    assert_same(BatchDataSerializer, describe_batch(batch))


@pytest.mark.parametrize("path", ["/v1/normalizations", "/v1/batches"])
def test_a_list_has_the_latest_deliveries_of_each(api, client_1234, path: str) -> None:
    """A hundred webhooks, and a message to each about every correction, are a page of megabytes."""
    client = client_1234.client
    subject = NormalizationRequestFactory(client=client)
    other = NormalizationRequestFactory(client=client)
    if path == "/v1/batches":
        now = timezone.now()
        subject, other = (Batch.objects.create(client=client, created_at=now) for _ in range(2))
    event = EventFactory(client=client, subject_id=subject.pk)
    made = [str(DeliveryFactory(event=event).pk) for _ in range(7)]
    [theirs] = [DeliveryFactory(event=EventFactory(client=client, subject_id=other.pk))]
    second, first = api.get(path).json()["data"]
    assert [delivery["id"] for delivery in first["deliveries"]] == made[-5:]
    assert [delivery["id"] for delivery in second["deliveries"]] == [str(theirs.pk)]
    alone = api.get(f"{path}/{subject.pk}").json()
    assert [delivery["id"] for delivery in alone["deliveries"]] == made


def test_a_merchant(krusty) -> None:
    assert empty_members(merchant_object(krusty)) == []
    assert_same(MerchantSerializer, merchant_object(krusty))
    assert_same(MerchantSerializer, merchant_object(Merchant(name="Moe's")))


def test_usage(db: None) -> None:
    now = timezone.now()
    limited: Client = ClientFactory(requests_per_minute=60, monthly_quota=1000)
    assert_same(UsageSerializer, usage.describe(limited, now=now))
    assert_same(UsageSerializer, usage.describe(ClientFactory(), now=now))


def test_whatever_a_client_says_of_a_transaction_or_a_webhook_comes_back() -> None:
    shown = NormalizationDataSerializer().fields
    sent = set(TransactionSerializer().fields)
    assert sent == {*shown["transaction"].fields, "metadata"} and "metadata" in shown  # noqa: PT018 - one statement
    assert set(NewWebhookSerializer().fields) <= set(WebhookSerializer().fields)
