"""The test event, and the receiver check."""

from datetime import timedelta

import pytest
import standardwebhooks
from django.utils import timezone

from tests.factories import SECRET
from webhooks.delivery import endpoint_check, manual, recovery, test_event
from webhooks.delivery.housekeeping import sweep
from webhooks.endpoints import services
from webhooks.models import Delivery, Webhook
from webhooks.receiver.application import Reply, always

pytestmark = [pytest.mark.django_db, pytest.mark.storage]


def test_a_test_is_sent_at_once_and_recorded(webhook, receiver):
    delivery = test_event.send_test(webhook=webhook)
    (message,) = receiver.messages
    assert message.verified
    assert message.json["type"] == "webhook.test"
    assert message.json["data"]["webhook"] == str(webhook.pk)
    assert (delivery.status, delivery.trigger, delivery.attempts) == ("succeeded", "test", 1)
    assert delivery.attempt_set.get().trigger == "test"


def test_a_test_that_fails_is_not_retried(webhook, receiver, send):
    receiver.behaviour = always(Reply(status=500))
    delivery = test_event.send_test(webhook=webhook)
    assert (delivery.status, delivery.next_attempt_at) == ("failed", None)
    assert delivery.attempt_set.get().error == "http"
    assert send() == 0


def test_a_test_that_is_retried_by_hand_remains_a_test(webhook, receiver, send):
    receiver.behaviour = always(Reply(status=500))
    window = {"since": timezone.now() - timedelta(minutes=1)}
    delivery = test_event.send_test(webhook=webhook)
    for _ in range(2):
        manual.retry(delivery_id=delivery.pk)
        assert send() == 1
        delivery.refresh_from_db()
        assert (delivery.status, delivery.next_attempt_at) == ("failed", None)
    webhook.refresh_from_db()
    assert webhook.failing_since is None  # so that days of it disable nothing
    window["until"] = timezone.now() + timedelta(minutes=1)
    assert sum(recovery.count(webhook=webhook, **window).values()) == 0
    receiver.behaviour = always(Reply())
    manual.retry(delivery_id=delivery.pk)
    send()
    delivery.refresh_from_db()
    assert delivery.status == "succeeded"


def test_a_test_goes_to_the_url_that_the_webhook_has_by_now(webhook, receiver):
    read_before = Webhook.objects.get()
    services.change(webhook=webhook, fields={"url": receiver.url("/new")})
    delivery = test_event.send_test(webhook=read_before)
    assert delivery.attempt_set.get().url == receiver.url("/new")


def test_a_disabled_webhook_can_be_tested(webhook, receiver):
    Webhook.objects.update(enabled=False, disabled_by="client")
    assert test_event.send_test(webhook=webhook).status == "succeeded"
    webhook.refresh_from_db()
    assert not webhook.enabled


def test_a_test_whose_process_died_ends_and_is_not_sent_again(webhook, receiver, send):
    delivery = test_event.send_test(webhook=webhook)
    Delivery.objects.update(
        status="delivering",
        claimed_by="gone/1/2",
        lease_expires_at=timezone.now() - timedelta(seconds=1),
    )
    sweep()
    delivery.refresh_from_db()
    assert delivery.status == "failed"
    assert send() == 0


def verifying(*secrets, tolerant=False, deduplicates=True):
    """An endpoint that verifies with the library, as a client's would."""
    seen = set()

    def behaviour(message):
        if message.webhook_id in seen and not deduplicates:
            return Reply(status=409)
        seen.add(message.webhook_id)
        for secret in secrets:
            try:
                standardwebhooks.Webhook(secret).verify(message.body, message.headers)
            except standardwebhooks.WebhookVerificationError as error:
                if tolerant and "timestamp" in str(error):
                    return Reply()
            else:
                return Reply()
        return Reply(status=401)

    return behaviour


def check_results(webhook):
    return {result.message.name: result.passed for result in endpoint_check.check(webhook=webhook)}


def test_a_correct_endpoint_handles_all_five(webhook, receiver):
    receiver.behaviour = verifying(SECRET)
    assert check_results(webhook) == {
        "good": True,
        "duplicate": True,
        "stale": True,
        "wrongly_signed": True,
        "doubly_signed": True,
    }
    assert len(receiver.messages) == 5
    ids = [message.webhook_id for message in receiver.messages]
    assert len(set(ids)) == 4
    assert not Delivery.objects.exists()


def test_one_that_accepts_everything_is_detected(webhook, receiver):
    assert check_results(webhook) == {
        "good": True,
        "duplicate": True,
        "stale": False,
        "wrongly_signed": False,
        "doubly_signed": True,
    }


def test_one_with_another_secret_is_detected(webhook, receiver):
    receiver.behaviour = verifying("whsec_" + "A" * 43 + "=")
    passed = check_results(webhook)
    assert not passed["good"]
    assert passed["wrongly_signed"]


def test_one_that_does_not_look_at_the_timestamp_is_detected(webhook, receiver):
    receiver.behaviour = verifying(SECRET, tolerant=True)
    passed = check_results(webhook)
    assert [name for name, ok in passed.items() if not ok] == ["stale"]


def test_one_that_refuses_duplicates_is_detected(webhook, receiver):
    receiver.behaviour = verifying(SECRET, deduplicates=False)
    passed = check_results(webhook)
    assert [name for name, ok in passed.items() if not ok] == ["duplicate"]


def test_one_that_looks_at_the_first_signature_alone_is_detected(webhook, receiver):
    verify = verifying(SECRET)

    def behaviour(message):
        first = message.headers["webhook-signature"].split()[0]
        message.headers["webhook-signature"] = first
        return verify(message)

    receiver.behaviour = behaviour
    passed = check_results(webhook)
    assert [name for name, ok in passed.items() if not ok] == ["doubly_signed"]


def test_a_server_error_of_the_endpoint_is_no_refusal(webhook, receiver):
    def behaviour(message):
        return Reply(status=200 if message.verified else 500)

    receiver.behaviour = behaviour
    passed = check_results(webhook)
    assert not passed["wrongly_signed"]
    assert not passed["stale"]


def test_one_that_is_unreachable_gets_one_message(webhook, settings):
    settings.PAVE_WEBHOOK_TIMEOUT = 1
    services.change(webhook=webhook, fields={"url": "http://127.0.0.1:9/"})
    results = endpoint_check.check(webhook=webhook)
    assert [result.outcome is not None for result in results] == [True] + 4 * [False]
    assert not any(result.passed for result in results)
    assert results[0].reason == "The connection was refused."


def test_a_check_disables_nothing(webhook, receiver):
    receiver.behaviour = always(Reply(status=410))
    endpoint_check.check(webhook=webhook)
    webhook.refresh_from_db()
    assert webhook.enabled
    assert webhook.failing_since is None


def test_an_endpoint_may_end_it_by_its_answer_to_a_test(webhook, receiver):
    receiver.behaviour = always(Reply(status=410))
    test_event.send_test(webhook=webhook)
    webhook.refresh_from_db()
    assert (webhook.enabled, webhook.disabled_by) == (False, "gone")
