"""One delivery from the row to the receiver and back: statuses, retries, evidence."""

import html
import json
import socket
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from unittest import mock
from urllib.parse import quote

import pytest
import time_machine
from django.db import DataError, OperationalError
from django.utils import timezone

from webhooks.delivery.dispatcher import Dispatcher
from webhooks.delivery.housekeeping import sweep
from webhooks.delivery.test_event import send_test
from webhooks.endpoints import enabling
from webhooks.models import Delivery, DeliveryAttempt, Webhook
from webhooks.receiver.application import Reply, always, in_turn

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

SECOND = timedelta(seconds=1)


def allow_threads(monkeypatch, count):
    """Let dispatchers start so many threads."""
    start, left = threading.Thread.start, [None] * count

    def limited(thread):
        if thread.name.startswith("send"):
            if not left:
                raise RuntimeError("can't start new thread")
            left.pop()
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)


def seconds_until(moment):
    return (moment - timezone.now()).total_seconds()


def test_2xx_is_success(send, deliver, receiver):
    delivery = deliver()
    assert send() == 1
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("succeeded", 1)
    assert delivery.next_attempt_at is None
    assert delivery.finished_at is not None
    (message,) = receiver.messages
    assert message.verified
    assert message.webhook_id == str(delivery.event_id)
    assert message.body == bytes(delivery.event.body)


def test_each_attempt_leaves_its_evidence(send, deliver, receiver, webhook):
    webhook.headers = {"X-Team": "payments", "Authorization": "Bearer abc"}
    webhook.save()
    receiver.behaviour = always(
        Reply(status=500, body=b"boom", headers={"X-Trace": "t-1", "Set-Cookie": "a=b"})
    )
    delivery = deliver()
    send()
    attempt = delivery.attempt_set.get()
    assert (attempt.number, attempt.trigger, attempt.url) == (1, "automatic", webhook.url)
    assert (attempt.status_code, attempt.error) == (500, "http")
    assert attempt.resolved_address == "127.0.0.1"
    assert attempt.response_head == "boom"
    assert attempt.response_headers["x-trace"] == "t-1"
    assert attempt.response_headers["set-cookie"] == "***"
    assert attempt.request_headers["X-Team"] == attempt.request_headers["Authorization"] == "***"
    assert attempt.request_headers["webhook-id"] == str(delivery.event_id)
    assert "webhook-signature" in attempt.request_headers
    assert "v1," not in json.dumps(attempt.request_headers)
    assert {"connect", "first_byte"} <= set(attempt.timings)
    assert attempt.duration_ms is not None
    assert receiver.messages[0].headers["authorization"] == "Bearer abc"


@pytest.mark.parametrize("status", [400, 401, 404, 418, 500, 503])
def test_any_other_status_is_tried_again(send, deliver, receiver, webhook, status):
    receiver.behaviour = always(Reply(status=status))
    delivery = deliver()
    send()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.step) == ("pending", 1)
    assert 3 < seconds_until(delivery.next_attempt_at) <= 6
    webhook.refresh_from_db()
    assert webhook.failing_since is not None
    assert webhook.breaker == "closed"


def test_no_secret_is_kept_of_an_endpoint_that_echoes_what_it_was_sent(
    send, deliver, receiver, webhook
):
    webhook.headers = {
        "X-Tok": "SEKRETHEADER",
        "Authorization": "Bearer SEKRETBEARER9",
        "Cookie": 'session=SEKRETCOOKIE; theme="SEKRETTHEME"',
        "X-Odd": 'SEKRET"ODD/+&',
    }
    webhook.save()

    def echo(message):
        sent = {name.lower(): value for name, value in message.headers.items()}
        body = "\n".join(f"{name}: {value}" for name, value in sent.items())
        body += json.dumps(sent) + html.escape(sent["x-odd"]) + quote(sent["x-odd"])
        return Reply(status=500, body=body.encode(), headers={"x-echo": sent["x-tok"]})

    receiver.behaviour = echo
    deliver()
    send()
    attempt = DeliveryAttempt.objects.get()
    assert "x-tok: ***" in attempt.response_head.lower()
    assert attempt.response_headers["x-echo"] == "***"
    assert "SEKRET" not in str(DeliveryAttempt.objects.values().get())


def test_no_part_of_a_secret_is_kept_where_a_response_is_truncated(
    send, deliver, receiver, webhook
):
    webhook.headers = {"X-Tok": "SEKRETSEKRET-AND-MORE-OF-IT"}
    webhook.save()
    body = b"." * (4096 - 20) + b"SEKRETSEKRET-AND-MORE-OF-IT"
    long = "." * 1010 + "SEKRETSEKRET-AND-MORE-OF-IT"
    receiver.behaviour = always(Reply(status=500, body=body, headers={"x-long": long}))
    deliver()
    send()
    attempt = DeliveryAttempt.objects.get()
    assert attempt.response_head == "." * (4096 - 20) + "***"
    assert attempt.response_headers["x-long"] == "." * 1010 + "***"


def test_of_a_response_with_very_many_headers_the_short_ones_are_kept(send, deliver, receiver):
    many = {f"x-{number}": "." * 1000 for number in range(60)}
    receiver.behaviour = always(Reply(status=503, headers=many | {"Retry-After": "7"}))
    deliver()
    send()
    kept = DeliveryAttempt.objects.get().response_headers
    assert kept["retry-after"] == "7"
    assert sum(map(len, kept.values())) <= 8192


def test_the_same_id_and_bytes_come_again_with_a_new_timestamp(send, deliver, receiver):
    receiver.behaviour = in_turn(Reply(status=500), Reply(status=500), Reply())
    delivery = deliver()
    for _ in range(3):
        Delivery.objects.update(next_attempt_at=timezone.now())
        send()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("succeeded", 3)
    assert [attempt.number for attempt in delivery.attempt_set.all()] == [1, 2, 3]
    assert len({(message.webhook_id, message.body) for message in receiver.messages}) == 1
    assert all(message.verified for message in receiver.messages)
    assert [message.duplicate for message in receiver.messages] == [False, True, True]


def test_after_the_last_attempt_it_has_failed(send, deliver, receiver, settings):
    settings.PAVE_WEBHOOK_RETRY_SCHEDULE = [5, 300]
    receiver.behaviour = always(Reply(status=500))
    delivery = deliver()
    for _ in range(3):
        Delivery.objects.update(next_attempt_at=timezone.now())
        send()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("failed", 3)
    assert delivery.next_attempt_at is None


def test_a_redirect_is_a_failure_and_is_not_followed(send, deliver, receiver):
    receiver.behaviour = always(Reply(status=302, headers={"Location": receiver.url("/other")}))
    delivery = deliver()
    send()
    attempt = delivery.attempt_set.get()
    assert (attempt.status_code, attempt.error) == (302, "redirect")
    assert [message.path for message in receiver.messages] == ["/hook"]


def test_410_disables_the_webhook_and_holds_the_message(
    send, deliver, receiver, webhook, django_capture_on_commit_callbacks, caplog
):
    receiver.behaviour = always(Reply(status=410))
    first = deliver()
    other = deliver(next_attempt_at=timezone.now() + timedelta(hours=1))
    with django_capture_on_commit_callbacks(execute=True):
        send()
        sweep()
    webhook.refresh_from_db()
    assert (webhook.enabled, webhook.disabled_by) == (False, "gone")
    assert webhook.disabled_at is not None
    for delivery in (first, other):
        delivery.refresh_from_db()
        assert (delivery.status, delivery.held_by) == ("held", "gone")
    (line,) = [record for record in caplog.records if record.msg == "webhook.disabled"]
    assert (line.webhook, line.client, line.by) == (webhook.pk, "1234", "gone")


@pytest.mark.parametrize(("status", "end"), [(200, "succeeded"), (500, "held")])
def test_the_header_disable_disables_the_webhook(send, deliver, receiver, webhook, status, end):
    receiver.behaviour = always(Reply(status=status, headers={"webhook-delivery": "disable"}))
    delivery = deliver()
    send()
    webhook.refresh_from_db()
    delivery.refresh_from_db()
    assert (webhook.enabled, webhook.disabled_by) == (False, "asked")
    assert delivery.status == end


def test_the_header_abort_message_ends_the_retries_of_this_message_alone(
    send, deliver, receiver, webhook
):
    receiver.behaviour = in_turn(
        Reply(status=400, headers={"Webhook-Delivery": "abort-message"}), Reply(status=400)
    )
    first, second = deliver(), deliver()
    send()
    first.refresh_from_db()
    second.refresh_from_db()
    assert {first.status, second.status} == {"failed", "pending"}
    webhook.refresh_from_db()
    assert webhook.enabled


def test_retry_after_in_seconds_makes_the_wait_longer(send, deliver, receiver):
    receiver.behaviour = always(Reply(status=503, headers={"Retry-After": "3600"}))
    delivery = deliver()
    send()
    delivery.refresh_from_db()
    assert 3590 < seconds_until(delivery.next_attempt_at) <= 3600


def test_retry_after_as_a_date_makes_the_wait_longer(send, deliver, receiver):
    date = format_datetime((timezone.now() + timedelta(hours=2)), usegmt=True)
    receiver.behaviour = always(Reply(status=500, headers={"Retry-After": date}))
    delivery = deliver()
    send()
    delivery.refresh_from_db()
    assert 7180 < seconds_until(delivery.next_attempt_at) <= 7200


def test_retry_after_is_obeyed_for_a_day_at_most(send, deliver, receiver):
    receiver.behaviour = always(Reply(status=429, headers={"Retry-After": "999999"}))
    delivery = deliver()
    send()
    delivery.refresh_from_db()
    assert 86_300 < seconds_until(delivery.next_attempt_at) <= 86_400


@pytest.mark.parametrize("status", [429, 502, 504])
def test_an_overloaded_endpoint_gets_less_and_a_pause(send, deliver, receiver, webhook, status):
    Webhook.objects.update(window=8, steady=True)
    receiver.behaviour = always(Reply(status=status))
    deliver()
    send()
    webhook.refresh_from_db()
    assert (webhook.window, webhook.steady) == (4, False)
    assert 0 < seconds_until(webhook.paused_until) <= 2
    assert webhook.breaker == "closed"
    waiting = deliver()
    assert send() == 0
    waiting.refresh_from_db()
    assert (waiting.status, waiting.attempts) == ("pending", 0)


@pytest.mark.parametrize(("limit", "steady"), [(100, False), (60_000, True)])
def test_an_answer_that_trickles_in_and_ends_well_is_slow_by_its_end(
    send, deliver, receiver, webhook, monkeypatch, limit, steady
):
    """However soon it began: its endpoint gets more, but shares the threads for slow ones."""
    for module in ("policies.circuit_breaker", "endpoints.health", "delivery.dispatcher"):
        monkeypatch.setattr(f"webhooks.{module}.SLOW_MS", limit)
    Webhook.objects.update(window=3, steady=True)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    letters = [b"h", b"e", b"l", b"l", b"o"]
    receiver.behaviour = always(Reply(raw=[answer, *letters], pause=0.05, keep_open=True))
    delivery = deliver()
    send()
    delivery.refresh_from_db()
    attempt = delivery.attempt_set.get()
    assert (delivery.status, attempt.response_head) == ("succeeded", "hello")
    assert attempt.duration_ms >= 250
    webhook.refresh_from_db()
    assert (webhook.window, webhook.steady, webhook.breaker) == (4, steady, "closed")


def test_five_days_of_nothing_but_failure_disable_the_webhook(send, deliver, receiver, webhook):
    receiver.behaviour = always(Reply(status=500))
    Webhook.objects.update(
        failing_since=timezone.now() - timedelta(days=5, seconds=1), failing_days=2
    )
    delivery = deliver()
    send()
    webhook.refresh_from_db()
    delivery.refresh_from_db()
    assert (webhook.enabled, webhook.disabled_by) == (False, "failing")
    assert (delivery.status, delivery.held_by) == ("held", "failing")
    # It keeps its retries.
    step, receiver.behaviour = delivery.step, in_turn(Reply(status=500), Reply())
    assert step == 1
    enabling.enable(webhook=webhook)
    send()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.step, delivery.attempts) == ("pending", step + 1, 2)
    Delivery.objects.update(next_attempt_at=timezone.now())
    send()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("succeeded", 3)


def test_one_success_ends_the_five_days(send, deliver, receiver, webhook):
    Webhook.objects.update(failing_since=timezone.now() - timedelta(days=6), failing_days=3)
    deliver()
    send()
    webhook.refresh_from_db()
    assert webhook.failing_since is None
    assert webhook.enabled


@pytest.mark.parametrize(
    "days",
    [[0, 4.9], [0, 6], [0, 6, 6.01], [0, 0.1, 0.2, 0.3, 400], [0, 1, 2, 3, 6], [0, 20, 40]],
    ids=[
        "not yet five days",
        "six quiet days",
        "twice today",
        "a quiet year",
        "one after quiet days",
        "now and then",
    ],
)
def test_fewer_days_of_failure_disable_nothing(send, deliver, receiver, webhook, days):
    fail_on(days, send, deliver, receiver)
    webhook.refresh_from_db()
    assert webhook.enabled


@pytest.mark.parametrize("days", [[0, 1, 2, 3, 4, 5.1], [0, 2, 4, 6], [0, 1, 20, 21, 22]])
def test_three_days_of_failure_close_together_after_five_disable_the_webhook(
    send, deliver, receiver, webhook, days
):
    fail_on(days, send, deliver, receiver)
    webhook.refresh_from_db()
    assert (webhook.enabled, webhook.disabled_by) == (False, "failing")


def fail_on(days, send, deliver, receiver):
    """Have a new message fail after each so many days from noon on."""
    receiver.behaviour = always(Reply(status=500))
    noon = datetime(2026, 11, 2, 12, tzinfo=UTC)
    for day in days:
        with time_machine.travel(noon + timedelta(days=day)):
            Delivery.objects.update(status="canceled")
            deliver()
            send()


def test_a_failed_test_is_no_day_of_failure(receiver, webhook):
    receiver.behaviour = always(Reply(status=500))
    send_test(webhook=webhook)
    webhook.refresh_from_db()
    assert (webhook.failing_since, webhook.failing_days) == (None, 0)
    Webhook.objects.update(failing_since=timezone.now() - timedelta(days=6), failing_days=2)
    assert send_test(webhook=webhook).status == "failed"
    webhook.refresh_from_db()
    assert webhook.enabled


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.mark.parametrize(
    ("url", "error"),
    [
        (lambda receiver: f"http://127.0.0.1:{free_port()}/", "refused"),
        (lambda receiver: receiver.url().replace("127.0.0.1", "no-such-host.invalid"), "dns"),
        (lambda receiver: receiver.url().replace("http", "https"), "tls"),
        (lambda receiver: "http://10.1.2.3/", "blocked"),
        (lambda receiver: "http://[::ffff:10.1.2.3]/", "blocked"),
    ],
)
def test_what_cannot_be_reached_has_its_error_class(send, deliver, receiver, webhook, url, error):
    Webhook.objects.update(url=url(receiver))
    delivery = deliver()
    send()
    delivery.refresh_from_db()
    assert delivery.attempt_set.get().error == error
    assert (delivery.status, delivery.step) == ("pending", 1)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(reset=True), "reset"),
        (Reply(hang=True), "timeout"),
        (Reply(delay=5), "timeout"),
        (Reply(raw=[b"HTTP/1.1 200 OK\r\n\r\n"] + [b"x" * 1024] * 100), "too_large"),
        (Reply(raw=[b"HTTP/1.1 200 OK\r\n\r\n"] + [b"x"] * 1000, pause=0.1), "timeout"),
        (Reply(raw=[b"SSH-2.0-OpenSSH\r\n"]), "http"),
    ],
)
def test_bad_responses_have_their_error_class(send, deliver, receiver, settings, reply, error):
    settings.PAVE_WEBHOOK_TIMEOUT = 0.5
    receiver.behaviour = always(reply)
    delivery = deliver()
    send()
    assert delivery.attempt_set.get().error == error


def test_a_message_that_cannot_be_signed_is_not_the_endpoints_failure(send, deliver, webhook):
    webhook.secrets.all().delete()
    delivery = deliver()
    send()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.step) == ("pending", 1)
    assert delivery.attempt_set.get().error == "interrupted"
    webhook.refresh_from_db()
    assert webhook.failing_since is None


def test_a_delivery_whose_dispatcher_died_is_requeued_with_a_row(send, deliver, receiver):
    now = timezone.now()
    delivery = deliver(
        status="delivering", attempts=1, claimed_by="gone/1/2", lease_expires_at=now - SECOND
    )
    sweep(now=now)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.claimed_by) == ("pending", "")
    assert delivery.attempt_set.get().error == "interrupted"
    send()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("succeeded", 2)


@pytest.mark.parametrize("retry_fails", [False, True])
def test_what_an_earlier_release_left_in_flight_is_sent(send, deliver, receiver, retry_fails):
    """It could retry what was in flight; a failure then had no sender, and no end."""
    in_flight = {"status": "delivering", "next_attempt_at": None}
    retried = {"trigger": "manual", "resume_status": "delivering"}
    delivery = deliver(attempts=1, **(retried if retry_fails else in_flight))
    receiver.behaviour = always(Reply(status=503 if retry_fails else 200))
    now = timezone.now()
    sweep(now=now)
    send()
    delivery.refresh_from_db()
    assert delivery.status == ("pending" if retry_fails else "succeeded")


def test_where_no_more_threads_can_be_started_those_that_run_send_all(
    send, deliver, receiver, monkeypatch
):
    allow_threads(monkeypatch, 1)
    for _ in range(3):
        deliver()
    assert send() == 3
    assert len(receiver.messages) == 3


def test_where_no_thread_can_be_started_the_worker_ends_before_it_claims(
    send, deliver, monkeypatch
):
    allow_threads(monkeypatch, 0)
    delivery = deliver()
    with pytest.raises(SystemExit):  # of a worker, which is replaced
        send()
    delivery.refresh_from_db()
    assert delivery.status == "pending"


def test_a_lease_that_still_runs_is_left_alone(deliver):
    now = timezone.now()
    delivery = deliver(
        status="delivering", attempts=1, claimed_by="busy/1/2", lease_expires_at=now + SECOND
    )
    sweep(now=now)
    delivery.refresh_from_db()
    assert delivery.status == "delivering"


def test_the_timestamp_is_that_of_the_attempt(send, deliver, receiver):
    deliver()
    with time_machine.travel(timezone.now() + timedelta(minutes=3), tick=True):
        send()
        now = timezone.now().timestamp()
    assert abs(receiver.messages[0].timestamp - now) < 5


def test_a_message_that_never_ends_is_given_up_and_sent_again(deliver, monkeypatch, settings):
    settings.PAVE_WEBHOOK_TIMEOUT = 0.1
    monkeypatch.setattr("webhooks.delivery.dispatcher.LAST_SECONDS", 0.1)
    delivery, ends = deliver(), threading.Event()
    sender = Dispatcher()
    monkeypatch.setattr(sender._transport, "post", lambda *_, **__: ends.wait(60))
    try:
        assert sender.run(seconds=0.1) == 0
    finally:
        ends.set()
    delivery.refresh_from_db()
    assert delivery.status == "delivering"
    assert delivery in Delivery.objects.stale(timezone.now() + timedelta(minutes=10))


@pytest.mark.parametrize("error", [DataError, OperationalError], ids=["ours", "database away"])
def test_a_sender_that_cannot_record_leaves_no_threads_and_connections(
    send, deliver, receiver, monkeypatch, error
):
    """It hung for ever. What it has sent is sent again, once its lease has ended."""
    deliver(), deliver()
    sender, closed = Dispatcher(), []
    close = sender._transport.close
    monkeypatch.setattr(sender._transport, "close", lambda: closed.append(close()))
    # One result comes while it goes on, and one at its end.
    monkeypatch.setattr("webhooks.delivery.dispatcher.BATCH_SIZE", 1)
    record = mock.Mock(side_effect=error)
    monkeypatch.setattr("webhooks.delivery.dispatcher.record", record)
    monkeypatch.setattr("webhooks.delivery.dispatcher.RECORD_RETRY_SECONDS", 0.5)
    before = {thread for thread in threading.enumerate() if thread.name.startswith("send")}
    with pytest.raises(error):
        sender.run(seconds=5)
    after = {thread for thread in threading.enumerate() if thread.name.startswith("send")}
    assert closed
    assert after <= before
    monkeypatch.undo()
    sweep(now=timezone.now() + timedelta(minutes=10))
    Delivery.objects.update(next_attempt_at=timezone.now())
    send()
    assert set(Delivery.objects.values_list("status", flat=True)) == {"succeeded"}
    assert len({message.webhook_id for message in receiver.messages}) == 2
