"""Several dispatchers on one database, as real processes, and one that is killed."""

import signal
from collections import Counter

import pytest

from tests.factories import (
    DeliveryFactory,
    EventFactory,
    SigningSecretFactory,
    WebhookFactory,
)
from tests.webhooks import senders
from webhooks.delivery import dispatcher
from webhooks.delivery.housekeeping import requeue
from webhooks.models import Delivery, DeliveryAttempt
from webhooks.receiver.application import Reply, always

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.storage]


@pytest.fixture
def deliveries(receiver):
    """120 deliveries to six webhooks."""
    deliveries = []
    for number in range(6):
        webhook = WebhookFactory(url=receiver.url(f"/{number}"), max_in_flight=8)
        SigningSecretFactory(webhook=webhook)
        deliveries += [
            DeliveryFactory(webhook=webhook, event=EventFactory(client=webhook.client))
            for _ in range(20)
        ]
    return deliveries


def test_two_dispatchers_send_each_delivery_once(deliveries, receiver):
    receiver.behaviour = always(Reply(delay=0.02))
    processes = [senders.start() for _ in range(2)]
    assert [process.wait(40) for process in processes] == [0, 0]
    sent = Counter(message.webhook_id for message in receiver.messages)
    assert sent == {str(delivery.event_id): 1 for delivery in deliveries}
    assert set(Delivery.objects.values_list("status", "attempts")) == {("succeeded", 1)}
    assert all(message.verified for message in receiver.messages)
    assert DeliveryAttempt.objects.count() == len(deliveries)


def test_a_dispatcher_killed_between_post_and_record_loses_nothing(deliveries, receiver):
    """What it had sent comes a second time, with the same id; the rest comes once."""
    process = senders.start(senders.SEND_AND_DIE)
    assert process.wait(40) == -signal.SIGKILL
    lost = Delivery.objects.filter(status="delivering")
    names = set(lost.values_list("claimed_by", flat=True))
    assert len(names) == 1
    in_doubt = {str(pk) for pk in lost.values_list("event_id", flat=True)}
    assert in_doubt
    requeue(worker=names.pop())
    assert senders.start().wait(40) == 0
    assert set(Delivery.objects.values_list("status", flat=True)) == {"succeeded"}
    sent = Counter(message.webhook_id for message in receiver.messages)
    assert set(sent) == {str(delivery.event_id) for delivery in deliveries}
    assert {pk for pk, count in sent.items() if count > 1} <= in_doubt
    assert max(sent.values()) == 2
    doubtful = DeliveryAttempt.objects.filter(error="interrupted")
    assert {str(attempt.delivery.event_id) for attempt in doubtful} == in_doubt


def test_a_dispatcher_asked_to_stop_ends_what_is_in_flight_and_leaves_the_rest(
    deliveries, receiver
):
    receiver.behaviour = always(Reply(delay=0.3))
    assert senders.start(seconds=0.5).wait(40) == 0
    statuses = Counter(Delivery.objects.values_list("status", flat=True))
    assert statuses["delivering"] == 0
    assert statuses["succeeded"] == len(receiver.messages) > 0
    assert statuses["pending"] > 0


def test_a_message_whose_row_is_removed_while_it_is_sent_holds_up_no_other(
    deliveries, send, monkeypatch
):
    """As by the end of the time for which it is kept, while its client retries it."""
    record = dispatcher.record

    def remove_then_record(results, **options):
        if any(result.claim.delivery_id == deliveries[0].pk for result in results):
            Delivery.objects.filter(pk=deliveries[0].pk).delete()
        record(results, **options)

    monkeypatch.setattr(dispatcher, "record", remove_then_record)
    assert send() == len(deliveries)
    assert set(Delivery.objects.values_list("status", flat=True)) == {"succeeded"}
