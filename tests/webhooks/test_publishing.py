"""The door by which other apps have clients told of something."""

import json
import uuid
from datetime import UTC, datetime

import pytest
from django.db import transaction
from django.utils import timezone

from tests.factories import WebhookFactory
from webhooks.endpoints import services
from webhooks.event_types import EVENT_TYPES, is_known
from webhooks.models import Delivery, Event
from webhooks.publishing import Occurrence, publish

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def occurrence(client, event_type="normalization.completed", **extra):
    return Occurrence(
        client_pk=client.pk, type=event_type, subject_id=uuid.uuid4(), data={"a": "é"}, extra=extra
    )


@pytest.fixture
def client(client_1234):
    return client_1234.client


def test_an_event_goes_to_each_webhook_of_the_client_and_to_no_other(client, stranger):
    webhooks = {WebhookFactory(client=client).pk for _ in range(3)}
    WebhookFactory(client=stranger.client)
    WebhookFactory(client=client, deleted_at=NOW, enabled=False)
    assert publish([occurrence(client)], now=NOW) == 3
    event = Event.objects.get()
    assert set(Delivery.objects.values_list("webhook", flat=True)) == webhooks
    assert set(Delivery.objects.values_list("event", flat=True)) == {event.pk}


@pytest.mark.parametrize(
    ("events", "takes"),
    [
        ([], True),
        (["normalization.completed"], True),
        (["normalization.*"], True),
        (["batch.*", "normalization.*"], True),
        (["normalization.failed"], False),
        (["batch.*"], False),
    ],
)
def test_a_webhook_takes_what_it_lists(client, events, takes):
    WebhookFactory(client=client, events=events)
    assert publish([occurrence(client)], now=NOW) == takes
    assert Event.objects.count() == takes


def test_nobody_to_tell_is_nothing_written(client):
    assert publish([occurrence(client)], now=NOW) == 0
    assert not Event.objects.exists()


def test_the_bytes_are_fixed_when_it_happens(client):
    WebhookFactory(client=client)
    publish([occurrence(client, merchant={"name": "Café"}, request_id="r-1")], now=NOW)
    body = bytes(Event.objects.get().body)
    assert json.loads(body) == {
        "type": "normalization.completed",
        "timestamp": "2026-11-24T12:00:00Z",
        "merchant": {"name": "Café"},
        "request_id": "r-1",
        "data": {"a": "é"},
    }
    assert "é".encode() in body


def test_many_occurrences_cost_a_fixed_number_of_statements(client, django_assert_num_queries):
    WebhookFactory(client=client)
    with django_assert_num_queries(3), transaction.atomic(savepoint=False):
        publish([occurrence(client) for _ in range(50)], now=NOW)


def test_a_change_of_a_webhook_counts_for_the_next_event(client):
    webhook, _ = services.create(client=client, url="https://client.example/", events=["batch.*"])
    assert publish([occurrence(client)], now=NOW) == 0
    services.change(webhook=webhook, fields={"events": []})
    assert publish([occurrence(client)], now=NOW) == 1
    services.delete(webhook=webhook)
    assert publish([occurrence(client)], now=timezone.now()) == 0


def test_the_types_that_the_apps_publish_are_on_the_list():
    from merchants.requests import events

    published = {
        value
        for name, value in vars(events).items()
        if name.isupper() and isinstance(value, str) and "." in value
    }
    assert published <= set(EVENT_TYPES)
    assert all(is_known(name) for name in (*EVENT_TYPES, "normalization.*", "batch.*"))
    assert not is_known("normalisation.completed")
