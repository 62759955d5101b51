"""Staff of each role, and rows for every page of theirs."""

from collections.abc import Callable

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.test import Client as Browser
from django.utils import timezone

from merchants.models import Batch, Feedback, Merchant, NormalizationRequest, Ruleset
from pave.clients import api_keys
from pave.staff.roles import make_roles
from tests.factories import (
    DeliveryFactory,
    EventFactory,
    MerchantFactory,
    NormalizationRequestFactory,
    ResolutionFactory,
    RulesetFactory,
    SigningSecretFactory,
    WebhookFactory,
)
from webhooks.models import Delivery, DeliveryAttempt, Webhook

MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"
MERCHANT = {
    "id": None, "name": "Netflix", "website": None, "wikidata": None, "mcc": None, "category": None,
}  # fmt: skip
MATCH = {
    "method": "catalogue", "confidence": 0.98, "descriptor": "NETFLIX COM", "intermediary": None,
    "rule": None, "ruleset": 1,
}  # fmt: skip

LogIn = Callable[..., Browser]


@pytest.fixture
def log_in(db: None) -> LogIn:
    """Log somebody in: a role's name, ``superuser``, or nothing for staff without a role."""
    if not Group.objects.exists():  # a test with transactions of its own has emptied the tables
        make_roles(apps)

    def of_role(role: str = "superuser") -> Browser:
        user = User.objects.create_user(f"{role or 'nobody'}-{User.objects.count()}", is_staff=True)
        if role == "superuser":
            user.is_superuser = True
            user.save()
        elif role:
            user.groups.add(Group.objects.get(name=role))
        browser = Browser()
        browser.force_login(user, backend=MODEL_BACKEND)
        browser.user = user  # type: ignore[attr-defined]  # for the tests
        return browser

    return of_role


@pytest.fixture
def superuser(log_in: LogIn) -> Browser:
    """Somebody who may do everything."""
    return log_in("superuser")


@pytest.fixture
def plain_webhook(db: None) -> Webhook:
    """A webhook with a secret."""
    webhook = WebhookFactory(client__client_id="1234", client__name="Northwind")
    SigningSecretFactory(webhook=webhook)
    return webhook


@pytest.fixture
def failed_delivery(plain_webhook: Webhook) -> Delivery:
    """A delivery that has failed for good, with its attempt, of a request that was answered."""
    now = timezone.now()
    resolution = ResolutionFactory(
        status="resolved",
        method="catalogue",
        confidence=0.98,
        answer={"merchant": MERCHANT, "match": MATCH},
        evidence=["catalogue name 'netflix'"],
        merchant=MerchantFactory(name="Netflix"),
        finished_at=now,
    )
    request = NormalizationRequestFactory(
        client=plain_webhook.client,
        status="completed",
        resolution=resolution,
        reference="order-17",
        completed_at=now,
    )
    event = EventFactory(client=plain_webhook.client, subject_id=request.pk)
    delivery = DeliveryFactory(
        webhook=plain_webhook, event=event, status="failed", attempts=1, next_attempt_at=None,
        finished_at=now,
    )  # fmt: skip
    DeliveryAttempt.objects.create(
        delivery=delivery, number=1, url=plain_webhook.url, started_at=now, duration_ms=42,
        status_code=500, error="http", detail="The endpoint answered 500.",
        response_head="oh no",
    )  # fmt: skip
    return delivery


@pytest.fixture
def open_feedback(failed_delivery: Delivery) -> Feedback:
    """A correction that nobody has reviewed."""
    RulesetFactory()
    request = NormalizationRequest.objects.get(pk=failed_delivery.event.subject_id)
    return Feedback.objects.create(request=request, merchant_name="Netflix Inc")


@pytest.fixture
def objects(open_feedback: Feedback, failed_delivery: Delivery) -> dict[str, str]:
    """What the buttons are pressed on: model -> what stands for it in URLs."""
    key, _ = api_keys.issue(client=failed_delivery.webhook.client)
    batch = Batch.objects.create(
        client=failed_delivery.webhook.client, accepted=1, created_at=timezone.now()
    )
    RulesetFactory()  # so that the first one is an earlier one
    return {
        "webhooks.webhook": str(failed_delivery.webhook_id),
        "webhooks.delivery": str(failed_delivery.pk),
        "clients.client": str(failed_delivery.webhook.client_id),
        "clients.apikey": key.prefix,
        "merchants.normalizationrequest": str(open_feedback.request_id),
        "merchants.feedback": str(open_feedback.pk),
        "merchants.batch": str(batch.pk),
        "merchants.merchant": str(Merchant.objects.get(name="Netflix").pk),
        "merchants.ruleset": str(Ruleset.objects.order_by("number")[0].pk),
    }
