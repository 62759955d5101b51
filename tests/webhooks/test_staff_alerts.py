"""Staff are alerted about webhooks that were disabled automatically."""

import math
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from unittest.mock import Mock

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import connections, transaction
from django.utils import timezone

from tests.factories import WebhookFactory
from tests.servers import ON_SQLITE
from webhooks import tasks
from webhooks.delivery.housekeeping import sweep
from webhooks.endpoints import enabling, mail, services, staff_alerts
from webhooks.models import Webhook

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

DisabledBy = Webhook.DisabledBy


@pytest.fixture
def staff():
    users = get_user_model().objects
    users.create_user("gone", email="gone@pave.example", is_staff=True, is_active=False)
    users.create_user("client", email="client@pave.example")
    users.create_user("mute", is_staff=True)
    return users.create_user("ann", email="ann@pave.example", is_staff=True)


def send_alerts():
    return staff_alerts.send_alerts(until=math.inf)


def a_minute_later():
    return time_machine.travel(timezone.now() + timedelta(seconds=61))


@pytest.mark.parametrize("by", [DisabledBy.GONE, DisabledBy.ASKED, DisabledBy.FAILING])
def test_a_mail_goes_to_staff_once(deliver, webhook, staff, mailoutbox, by):
    deliver()
    enabling.disable(webhook_id=webhook.pk, by=by)
    assert send_alerts() == 1
    assert send_alerts() == 0
    (mail,) = mailoutbox
    assert mail.to == ["ann@pave.example"]
    assert "1234" in mail.subject
    assert webhook.url in mail.body
    assert "1 deliveries" in mail.body
    webhook.refresh_from_db()
    assert webhook.staff_told_at is not None


@pytest.mark.parametrize("by", [DisabledBy.CLIENT, DisabledBy.STAFF])
def test_nobody_is_alerted_to_what_a_person_did(webhook, staff, mailoutbox, by):
    enabling.disable(webhook_id=webhook.pk, by=by)
    assert send_alerts() == 0
    assert not mailoutbox


def test_admins_come_first(webhook, staff, mailoutbox, settings):
    settings.ADMINS = [("Ops", "ops@pave.example")]
    enabling.disable(webhook_id=webhook.pk, by=DisabledBy.GONE)
    send_alerts()
    assert mailoutbox[0].to == ["ops@pave.example"]


def test_without_anybody_to_write_to_the_mail_is_made_all_the_same(webhook, mailoutbox, settings):
    enabling.disable(webhook_id=webhook.pk, by=DisabledBy.GONE)
    send_alerts()
    assert mailoutbox[0].to == [settings.DEFAULT_FROM_EMAIL]


def test_a_mail_server_that_is_unavailable_is_tried_again_later(
    webhook, staff, mailoutbox, monkeypatch
):
    enabling.disable(webhook_id=webhook.pk, by=DisabledBy.GONE)
    with monkeypatch.context() as patch:
        patch.setattr(mail, "send_mail", Mock(side_effect=OSError("no route")))
        assert send_alerts() == 0
    cache.clear()
    assert send_alerts() == 0  # not so soon after the failure, with a cache or without
    monkeypatch.setattr(mail, "_unavailable_until", 0.0)
    with a_minute_later():
        assert send_alerts() == 1
    assert len(mailoutbox) == 1


def test_a_worker_that_dies_before_the_mail_is_sent_is_followed_by_another(
    webhook, staff, mailoutbox, monkeypatch
):
    enabling.disable(webhook_id=webhook.pk, by=DisabledBy.GONE)
    with monkeypatch.context() as patch:
        patch.setattr(staff_alerts, "_send", Mock(side_effect=SystemExit))
        with pytest.raises(SystemExit):
            send_alerts()
    assert send_alerts() == 0  # the other may be at it
    with a_minute_later():
        assert send_alerts() == 1
    assert len(mailoutbox) == 1


def test_disabled_again_is_reported_again_but_once_an_hour(webhook, staff, mailoutbox):
    """A client can enable it and break it as often as it likes."""
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for minutes, mails in ((0, 1), (10, 1), (10, 1), (41, 2), (10, 2)):
            clock.shift(timedelta(minutes=minutes))
            enabling.enable(webhook=webhook)
            enabling.disable(webhook_id=webhook.pk, by=DisabledBy.GONE)
            send_alerts()
            assert len(mailoutbox) == mails
        clock.shift(timedelta(minutes=51))
        send_alerts()
        assert len(mailoutbox) == 3


def test_a_client_that_breaks_many_webhooks_causes_one_mail_an_hour(client_1234, staff, mailoutbox):
    other = WebhookFactory()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for mails in (1, 1, 2):
            made = WebhookFactory.create_batch(12, client=client_1234.client)
            for webhook in made:
                enabling.disable(webhook_id=webhook.pk, by=DisabledBy.GONE)
            send_alerts()
            for webhook in made:
                services.delete(webhook=webhook)
            assert len(mailoutbox) == mails
            clock.shift(timedelta(minutes=31))
        enabling.disable(webhook_id=other.pk, by=DisabledBy.GONE)
        assert send_alerts() == 1
    assert mailoutbox[0].subject == "12 webhooks of client 1234 disabled"
    assert "And 2 more." in mailoutbox[0].body


@pytest.mark.skipif(ON_SQLITE, reason="There a row is not locked by itself.")
@pytest.mark.django_db(transaction=True)
def test_two_workers_make_one_mail_about_two_webhooks_of_a_client(client_1234, staff, mailoutbox):
    first, second = WebhookFactory.create_batch(2, client=client_1234.client)
    enabling.disable(webhook_id=first.pk, by=DisabledBy.GONE)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            awaiting = Webhook.objects.awaiting_alert()
            minute = timedelta(minutes=1)
            claimed, _ = mail.claim(
                client_1234.client, awaiting, field="staff_alert_due_at", pause=minute
            )
            assert claimed == [first]
            # One more is disabled before the first claim is committed.
            pool.submit(in_a_session, enabling.disable, webhook_id=second.pk, by=DisabledBy.GONE)
            assert pool.submit(in_a_session, send_alerts).result() == 0
        assert pool.submit(in_a_session, send_alerts).result() == 0
    assert not mailoutbox


def in_a_session(function, **arguments):
    """Call it in a thread, with a session of its own."""
    try:
        return function(**arguments)
    finally:
        connections.close_all()


def test_a_silent_mail_server_holds_one_worker_for_seconds(settings, staff):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    assert settings.EMAIL_TIMEOUT < 10
    settings.EMAIL_TIMEOUT = 0.5
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.EMAIL_HOST, settings.EMAIL_PORT = silent.getsockname()
        for webhook in WebhookFactory.create_batch(3):
            enabling.disable(webhook_id=webhook.pk, by=DisabledBy.GONE)
        assert tasks.tell_staff() == 0
        assert tasks.tell_staff() == 0, "nothing is tried so soon after"
        silent.settimeout(0)
        silent.accept()
        with pytest.raises(BlockingIOError):
            silent.accept()
    with a_minute_later():
        assert Webhook.objects.awaiting_alert().count() == 3


def told_by(behave, over, settings):
    """Alert staff by a mail server that behaves so until it is over; return how many were sent."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.getsockname()
        behaving = pool.submit(behave, server)
        try:
            return tasks.tell_staff()
        finally:
            over.set()
            behaving.result()


def test_a_mail_server_that_says_something_now_and_then_does_no_more(settings, staff, monkeypatch):
    monkeypatch.setattr(mail, "MAIL_SECONDS", 1.0)
    enabling.disable(webhook_id=WebhookFactory().pk, by=DisabledBy.GONE)
    over = threading.Event()

    def drip(server):
        connection, _ = server.accept()
        with connection, suppress(OSError):
            connection.sendall(b"220 slow\r\n250 slow\r\n")
            while not over.wait(0.2):
                connection.sendall(b"2")

    assert told_by(drip, over, settings) == 0
    with a_minute_later():
        assert Webhook.objects.awaiting_alert().count() == 1


def test_a_mail_that_was_taken_is_not_sent_again_for_a_slow_good_bye(settings, staff, monkeypatch):
    monkeypatch.setattr(mail, "CLOSE_SECONDS", 0.2)
    enabling.disable(webhook_id=WebhookFactory().pk, by=DisabledBy.GONE)
    over = threading.Event()

    def take_mail(server):
        connection, _ = server.accept()
        with connection, connection.makefile("rwb") as lines:
            lines.write(b"220 here\r\n")
            lines.flush()
            while word := lines.readline()[:4].upper():
                if word == b"QUIT":
                    over.wait(20)
                    return
                if word == b"DATA":
                    lines.write(b"354 go on\r\n")
                    lines.flush()
                    while lines.readline() != b".\r\n":
                        pass
                lines.write(b"250 well\r\n")
                lines.flush()

    assert told_by(take_mail, over, settings) == 1
    assert not Webhook.objects.awaiting_alert().exists()


def test_the_sweep_wakes_a_worker_until_staff_are_alerted(webhook, monkeypatch):
    wakeup = Mock()
    monkeypatch.setattr("webhooks.delivery.housekeeping.SEND_MAILS", wakeup)
    enabling.disable(webhook_id=webhook.pk, by=DisabledBy.GONE)
    sweep()
    wakeup.send.assert_called_once()
    send_alerts()
    sweep()
    wakeup.send.assert_called_once()
