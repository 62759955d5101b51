"""Rows of a later release, with members that this one does not know, are read and answered."""

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from rest_framework.test import APIClient

from merchants.matching.types import Transaction
from merchants.models import NormalizationRequest, Resolution
from merchants.requests import admission, worker
from webhooks.models import Webhook
from webhooks.receiver.application import Receiver

LATER = {"colour": "red", "of_a_later_release": {"a": [1]}}
SENT = {
    "description": "SQ *BLUE FERN COFFEE OAKLAND CA",
    "amount": "5.250",
    "currency": "USD",
    "date": "2026-11-20",
    "mcc": "5814",
    "country": "US",
    "city": "Oakland",
}


@pytest.mark.django_db
def test_an_answer_with_members_of_a_later_release_is_given_and_delivered(
    api: APIClient, webhook: Webhook, receiver: Receiver, send: Callable[[], int]
) -> None:
    def answered() -> tuple[str, dict, dict]:
        """Return a new request's address, its answer and what the webhook brings of it."""
        place = api.post("/v1/normalizations", SENT, format="json")["location"]
        while admission.admit_batch() or worker.resolve_due():
            pass
        send()
        return place, api.get(place).json(), json.loads(receiver.messages[-1].body)["data"]

    def shared(data: dict) -> dict:
        own = ("request_id", "created_at", "completed_at", "deliveries")
        return {name: value for name, value in data.items() if name not in own}

    place, before, delivered = answered()
    resolution, request = Resolution.objects.get(), NormalizationRequest.objects.get()
    answer = resolution.answer
    resolution.answer = {name: {**answer[name], **LATER} for name in answer} | LATER
    resolution.save()
    request.reading = {**request.reading, **LATER}
    request.save()
    assert api.get(place).json() == before
    _, again, delivered_again = answered()
    assert Resolution.objects.get().attempts == 1, "it was answered anew"
    assert shared(again) == shared(before)
    assert shared(delivered_again) == shared(delivered)
    assert delivered_again["request_id"] == again["request_id"] != before["request_id"]


def test_members_of_a_transaction_that_are_not_known_are_passed_over() -> None:
    assert Transaction.from_json(SENT | LATER) == Transaction(
        "SQ *BLUE FERN COFFEE OAKLAND CA",
        Decimal("5.25"),
        "USD",
        date(2026, 11, 20),
        "5814",
        "US",
        "Oakland",
    )
    assert Transaction.from_json(LATER) == Transaction("")


@pytest.mark.parametrize("nothing", [None, "", "soon"])
def test_an_amount_or_a_date_that_is_none_counts_as_missing(nothing: str | None) -> None:
    sent = {"description": "SHOP", "amount": nothing, "date": nothing}
    assert Transaction.from_json(sent) == Transaction("SHOP")


def test_a_transaction_comes_back_as_it_was_sent_and_is_read_from_that_too() -> None:
    fields = SENT | {"date": date(2026, 11, 20)}
    request = NormalizationRequest(**fields)
    assert request.as_sent() == SENT | {"reference": None}
    assert request.as_transaction() == Transaction.from_json(request.as_sent())
