"""Slow and unresponsive endpoints do not hold up the others."""

import threading
import time
from datetime import timedelta
from unittest.mock import Mock

import pytest
from django.utils import timezone

from tests.factories import (
    ClientFactory,
    DeliveryFactory,
    EventFactory,
    SigningSecretFactory,
    WebhookFactory,
)
from webhooks.delivery.claims import Claimer
from webhooks.delivery.dispatcher import Dispatcher
from webhooks.delivery.fair_share import has_due_work
from webhooks.models import Delivery, Webhook
from webhooks.policies.circuit_breaker import FAILURE_THRESHOLD
from webhooks.receiver.application import Reply, always

pytestmark = [pytest.mark.django_db, pytest.mark.storage]


@pytest.fixture
def endpoint(receiver):
    """Make a webhook at a path of the receiver's, with deliveries that are due."""

    def endpoint(path, count, **fields):
        webhook = WebhookFactory(url=receiver.url(path), **fields)
        SigningSecretFactory(webhook=webhook)
        for _ in range(count):
            DeliveryFactory(webhook=webhook, event=EventFactory(client=webhook.client))
        return webhook

    return endpoint


def hangs(message):
    return Reply(hang=True) if "hangs" in message.path else Reply()


def due_now():
    Delivery.objects.filter(status="pending").update(next_attempt_at=timezone.now())


def test_the_breaker_opens_and_its_deliveries_wait_without_losing_an_attempt(
    endpoint, send, receiver, settings
):
    settings.PAVE_WEBHOOK_TIMEOUT = 0.2
    receiver.behaviour = always(Reply(hang=True))
    webhook = endpoint("/hangs", 10)
    send()
    webhook.refresh_from_db()
    assert webhook.breaker == "open"
    assert webhook.breaker_failures == FAILURE_THRESHOLD
    assert len(receiver.messages) == FAILURE_THRESHOLD
    attempts = list(Delivery.objects.values_list("attempts", flat=True))
    assert sum(attempts) == FAILURE_THRESHOLD
    due_now()
    assert send() == 0
    assert not has_due_work(timezone.now())


def test_one_probe_closes_it_again(endpoint, send, receiver, settings):
    settings.PAVE_WEBHOOK_TIMEOUT = 0.2
    receiver.behaviour = always(Reply(hang=True))
    webhook = endpoint("/hangs", 6)
    send()
    opened_at = Webhook.objects.get().breaker_opened_at

    Webhook.objects.update(paused_until=timezone.now() - timedelta(seconds=1))
    due_now()
    assert send() == 1  # the probe, which fails
    webhook.refresh_from_db()
    assert (webhook.breaker, webhook.breaker_opened_at) == ("open", opened_at)
    assert webhook.paused_until > timezone.now() + timedelta(seconds=15)

    receiver.behaviour = always(Reply())
    Webhook.objects.update(paused_until=timezone.now() - timedelta(seconds=1))
    due_now()
    assert send() == 6
    webhook.refresh_from_db()
    assert (webhook.breaker, webhook.breaker_failures) == ("closed", 0)
    assert set(Delivery.objects.values_list("status", flat=True)) == {"succeeded"}


def test_connection_failures_open_it_too(endpoint, send):
    webhook = endpoint("/", 5)
    Webhook.objects.update(url="http://127.0.0.1:9/")
    send()
    webhook.refresh_from_db()
    assert webhook.breaker == "open"
    assert sum(Delivery.objects.values_list("attempts", flat=True)) == FAILURE_THRESHOLD


def test_error_responses_do_not_open_it(endpoint, send, receiver):
    receiver.behaviour = always(Reply(status=500))
    webhook = endpoint("/", 5)
    send()
    webhook.refresh_from_db()
    assert webhook.breaker == "closed"
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}


def test_a_new_webhook_gets_all_while_others_hang(endpoint, receiver, settings, monkeypatch):
    """More endpoints hang than the dispatcher has threads; the healthy one hardly notices."""
    monkeypatch.setattr("pave.operations.cluster.work_loop.LINGER_SECONDS", 0.1)
    settings.PAVE_WEBHOOK_TIMEOUT = 5
    receiver.behaviour = hangs
    for number in range(12):
        endpoint(f"/hangs/{number}", 2, steady=False)
    healthy = endpoint("/healthy", 40)
    started = time.monotonic()
    arrived = []

    def timed(message):
        if message.path == "/healthy":
            arrived.append(time.monotonic() - started)
        return hangs(message)

    receiver.behaviour = timed
    Dispatcher(threads=8).run(seconds=4)
    assert set(healthy.deliveries.values_list("status", flat=True)) == {"succeeded"}
    assert len(arrived) == 40
    assert arrived[-1] < 5  # while those hung


@pytest.mark.parametrize(("steady", "limit"), [(False, 2), (None, 4)])
def test_suspects_take_a_quarter_of_the_threads_and_new_ones_half(
    endpoint, receiver, settings, monkeypatch, steady, limit
):
    monkeypatch.setattr("pave.operations.cluster.work_loop.LINGER_SECONDS", 0.1)
    settings.PAVE_WEBHOOK_TIMEOUT = 1
    receiver.behaviour = hangs
    for number in range(20):
        endpoint(f"/hangs/{number}", 1, steady=steady)
    monkeypatch.setattr(Dispatcher, "_wait_for_slow", lambda self, pool, not_suspect: 0)
    Dispatcher(threads=8).run(seconds=0.5)
    assert len(receiver.messages) == limit


def test_while_it_waits_for_slow_endpoints_it_still_sends_to_steady_ones(
    endpoint, receiver, settings, monkeypatch
):
    settings.PAVE_WEBHOOK_TIMEOUT = 30
    prompt = threading.Event()

    def behaviour(message):
        if message.path == "/hangs":
            prompt.wait(20)
        prompt.set()
        return Reply()

    receiver.behaviour = behaviour
    endpoint("/hangs", 1)
    steady = endpoint("/prompt", 0, steady=True, window=2)
    suspect = endpoint("/suspect", 0, steady=False)
    dispatcher = Dispatcher(threads=8)
    wait = dispatcher._wait_for_slow

    def and_something_comes(pool, not_suspect):
        if not not_suspect:
            return 0
        for webhook in (steady, suspect):
            DeliveryFactory(webhook=webhook, event=EventFactory(client=webhook.client))
        return wait(pool, not_suspect=True)

    monkeypatch.setattr(dispatcher, "_wait_for_slow", and_something_comes)
    dispatcher.run(seconds=0.3)
    assert [message.path for message in receiver.messages] == ["/hangs", "/prompt"]


def test_a_client_whose_steady_endpoints_begin_to_hang_leaves_threads_to_others(
    endpoint, receiver, settings, monkeypatch
):
    """Also to their new webhooks, and to those that are known to be slow."""
    monkeypatch.setattr("webhooks.delivery.dispatcher.SLOW_MS", 100)
    settings.PAVE_WEBHOOK_TIMEOUT = 3
    receiver.behaviour = hangs
    client = ClientFactory()
    for number in range(12):
        endpoint(f"/hangs/{number}", 1, steady=True, client=client)
    dispatcher = Dispatcher(threads=16)
    monkeypatch.setattr(dispatcher, "_wait_for_slow", lambda pool, not_suspect: 0)
    record = dispatcher._record

    def and_others_come():
        if len(receiver.messages) == 12 and Delivery.objects.count() == 12:
            time.sleep(0.2)  # until those are late
            endpoint("/new", 1)
            endpoint("/slow", 1, steady=False)
        return record()

    monkeypatch.setattr(dispatcher, "_record", and_others_come)
    dispatcher.run(seconds=2)
    paths = [message.path for message in receiver.messages]
    assert sorted(paths[12:]) == ["/new", "/slow"]


def test_a_steady_endpoint_that_begins_to_hang_is_not_preferred_any_more(
    endpoint, receiver, settings, monkeypatch
):
    """It counts as not steady once it is slow, before its first time-out is recorded."""
    monkeypatch.setattr("pave.operations.cluster.work_loop.LINGER_SECONDS", 0.1)
    monkeypatch.setattr("webhooks.delivery.dispatcher.SLOW_MS", 100)
    settings.PAVE_WEBHOOK_TIMEOUT = 1.5
    receiver.behaviour = hangs
    for number in range(3):
        endpoint(f"/hangs/{number}", 8, steady=True, window=2, max_in_flight=2)
    seen = []
    claim = Claimer.claim

    def watched(self, **options):
        seen.append((options["capacity"].suspect, len(options["slow"])))
        return claim(self, **options)

    monkeypatch.setattr(Claimer, "claim", watched)
    Dispatcher(threads=8).run(seconds=0.6)
    assert seen[0] == (2, 0)
    assert min(suspect for suspect, _ in seen) < 0
    assert max(slow for _, slow in seen) == 3


@pytest.fixture
def wakeups(monkeypatch):
    """The wake-ups of a dispatcher, which count how often they are sent."""
    wakeups = {name: Mock(name=name) for name in ("SEND", "HELP")}
    for name, wakeup in wakeups.items():
        monkeypatch.setattr(f"webhooks.delivery.dispatcher.{name}", wakeup)
    monkeypatch.setattr("pave.operations.cluster.work_loop.LINGER_SECONDS", 0.1)
    return wakeups


def test_a_full_dispatcher_requests_help_now_and_then(endpoint, receiver, wakeups):
    receiver.behaviour = always(Reply(delay=0.3))
    endpoint("/", 8, steady=True, window=8, max_in_flight=8)
    Dispatcher(threads=2, wakeup=wakeups["SEND"]).run(seconds=1.2)
    assert 1 <= wakeups["HELP"].send.call_count <= 2


def test_a_dispatcher_with_capacity_does_not(endpoint, receiver, wakeups):
    endpoint("/", 8)
    Dispatcher(threads=16, wakeup=wakeups["SEND"]).run(seconds=5)
    wakeups["HELP"].send.assert_not_called()


def test_a_dispatcher_whose_time_is_over_wakes_another_if_work_is_left(endpoint, receiver, wakeups):
    receiver.behaviour = always(Reply(delay=0.2))
    endpoint("/", 20)
    Dispatcher(threads=2, wakeup=wakeups["SEND"]).run(seconds=0.3)
    wakeups["SEND"].send.assert_called()
    wakeups["SEND"].mark_idle.assert_called_once()


def test_a_helper_does_not_keep_helping(endpoint, receiver, wakeups):
    receiver.behaviour = always(Reply(delay=0.2))
    endpoint("/", 20)
    Dispatcher(threads=2, wakeup=wakeups["HELP"]).run(seconds=0.3)
    wakeups["SEND"].send.assert_not_called()
