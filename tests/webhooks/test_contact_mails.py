"""A client's contact is told of changes of where its results go, whoever made them."""

import io
from datetime import timedelta
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPSenderRefused
from unittest.mock import Mock

import pytest
import time_machine
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from pave.clients.models import Client
from pave.staff import audit
from tests.factories import WebhookFactory
from webhooks import tasks
from webhooks.delivery.housekeeping import sweep
from webhooks.endpoints import contact_mails, enabling, mail, services
from webhooks.models import Webhook

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

URL = "https://8.8.8.8/hook"


@pytest.fixture(autouse=True)
def contact(client_1234):
    Client.objects.update(contact_email="ops@bank.example")


def later(**passed):
    return time_machine.travel(timezone.now() + timedelta(**passed))


def create(api, url=URL):
    return api.post("/v1/webhooks", {"url": url}, format="json").json()["id"]


def test_a_mail_tells_what_was_changed(api, mailoutbox):
    path = f"/v1/webhooks/{create(api)}"
    assert tasks.tell_staff() == 1
    with later(minutes=11):
        api.patch(path, {"url": "https://9.9.9.9/"}, format="json")
        api.post(f"{path}/rotate-secret", {}, format="json")
        assert tasks.tell_staff() == 1
        assert tasks.tell_staff() == 0
    first, second = mailoutbox
    assert first.to == second.to == ["ops@bank.example"]
    assert first.subject == "Webhooks of 1234 were changed"
    assert f"created, with the URL {URL}" in first.body
    assert f"the URL {URL} was changed to https://9.9.9.9/" in second.body
    assert "given a new secret" in second.body
    assert "created" not in second.body


def test_what_staff_or_a_command_change_is_told_too(superuser, client_1234, mailoutbox):
    webhook = WebhookFactory(client=client_1234.client)
    page = reverse("admin:webhooks_webhook_do", args=[webhook.pk, "rotate_secret"])
    assert superuser.post(page, {"overlap": "24"}).status_code in (200, 302)
    assert tasks.tell_staff() == 1
    assert "given a new secret" in mailoutbox[0].body
    with later(minutes=11):
        call_command("create_client", "1234", "--webhook-url", URL, stdout=io.StringIO())
        assert tasks.tell_staff() == 1
    assert URL in mailoutbox[1].body


@pytest.mark.parametrize(("by", "told"), [("gone", True), ("staff", True), ("client", False)])
def test_a_webhook_that_somebody_else_disables_is_told_of(client_1234, mailoutbox, by, told):
    webhook = WebhookFactory(client=client_1234.client)
    enabling.disable(webhook_id=webhook.pk, by=by)
    tasks.tell_staff()
    to_contact = [mail.body for mail in mailoutbox if mail.to == ["ops@bank.example"]]
    assert [bool("held, each for 30 days" in body) for body in to_contact] == [True] * told


def test_whoever_has_the_key_cannot_hide_a_change_among_others(api, mailoutbox, monkeypatch):
    monkeypatch.setattr(audit, "MAX_OF_CLIENT", 2)
    path = f"/v1/webhooks/{create(api)}"
    tasks.tell_staff()
    with later(minutes=11):
        api.patch(path, {"url": "https://9.9.9.9/"}, format="json")
        api.post(f"{path}/rotate-secret", {}, format="json")
        api.patch(path, {"url": URL}, format="json")
        for number in range(30):
            api.patch(path, {}, format="json")
            api.patch(path, {"url": f"https://8.8.8.8/{number}"}, format="json")
        assert tasks.tell_staff() == 1
    text = mailoutbox[1].body
    assert f"the URL {URL} was changed to https://9.9.9.9/" in text
    assert "given a new secret" in text
    assert "others in between" in text
    assert "changed to https://8.8.8.8/29" in text
    assert len(text) < 5_000


def test_mails_of_a_client_come_ten_minutes_apart(api, mailoutbox):
    """It can change its webhooks as often as it likes."""
    pk = create(api)
    for minutes, mails in ((0, 1), (4, 1), (8, 1), (11, 2), (15, 2)):
        with later(minutes=minutes):
            api.patch(f"/v1/webhooks/{pk}", {"url": f"https://8.8.8.8/{minutes}"}, format="json")
            tasks.tell_staff()
        assert len(mailoutbox) == mails
    assert "8.8.8.8/4" in mailoutbox[1].body
    assert "8.8.8.8/8" in mailoutbox[1].body


def test_a_webhook_that_was_deleted_is_told_of(api, mailoutbox):
    pk = create(api)
    api.delete(f"/v1/webhooks/{pk}")
    assert tasks.tell_staff() == 1
    assert f"deleted; its URL was {URL}" in mailoutbox[0].body


def test_nobody_is_told_of_other_changes_or_without_a_contact(api, mailoutbox):
    pk = create(api)
    tasks.tell_staff()
    with later(minutes=11):
        api.patch(f"/v1/webhooks/{pk}", {"description": "new"}, format="json")
        enabling.disable(webhook_id=pk, by=Webhook.DisabledBy.CLIENT)
        assert tasks.tell_staff() == 0
        Client.objects.update(contact_email="")
        api.patch(f"/v1/webhooks/{pk}", {"url": "https://9.9.9.9/"}, format="json")
        assert tasks.tell_staff() == 0
    assert len(mailoutbox) == 1


@pytest.mark.parametrize("passed", [{"minutes": 11}, {"days": 3}])
def test_a_mail_that_could_not_be_sent_is_sent_later(api, mailoutbox, monkeypatch, passed):
    create(api)
    with monkeypatch.context() as patch:
        patch.setattr(mail, "send_mail", Mock(side_effect=OSError("no route")))
        assert tasks.tell_staff() == 0
    assert tasks.tell_staff() == 0
    monkeypatch.setattr(mail, "_unavailable_until", 0.0)
    with later(**passed):
        assert tasks.tell_staff() == 1
    assert URL in mailoutbox[0].body


@pytest.mark.parametrize(
    "refusal",
    [
        SMTPRecipientsRefused({}),
        SMTPSenderRefused(550, b"no", "pave"),
        SMTPDataError(554, b"looks like spam"),
    ],
)
def test_a_mail_that_is_refused_keeps_no_other_mail_back(
    api, webhook, stranger, mailoutbox, monkeypatch, refusal
):
    enabling.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.GONE)
    Webhook.objects.update(contact_due_at=None)  # only staff are to be told
    Client.objects.update(contact_email="ops@bank.example")
    create(stranger.api)
    send_mail = mail.send_mail
    refuse = [True]

    def refused_once(*arguments, **more):
        if refuse.pop() if refuse else False:
            raise refusal
        send_mail(*arguments, **more)

    monkeypatch.setattr(mail, "send_mail", refused_once)
    assert tasks.tell_staff() == 1
    assert mailoutbox[0].subject == "Webhooks of stranger were changed"


def test_what_is_changed_while_the_mail_goes_is_told_of_by_the_next(api, mailoutbox, monkeypatch):
    pk = create(api)
    send_mail = mail.send_mail

    def change_first(*arguments, **more):
        services.change(webhook=Webhook.objects.get(pk=pk), fields={"url": "https://9.9.9.9/"})
        send_mail(*arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(mail, "send_mail", change_first)
        assert tasks.tell_staff() == 1
    with later(minutes=11):
        assert tasks.tell_staff() == 1
    assert "9.9.9.9" in mailoutbox[1].body


def test_new_secrets_hide_no_new_url(api, mailoutbox):
    path = f"/v1/webhooks/{create(api)}"
    long_host = ".".join(["bank-example"] * 18 + ["evil.example"])
    services_url = f"https://8.8.8.8/{'x' * 300}"
    tasks.tell_staff()
    with later(minutes=11):
        for url in (services_url, None):
            for _ in range(15):
                api.post(f"{path}/rotate-secret", {"overlap_hours": 0}, format="json")
            if url:
                assert api.patch(path, {"url": url}, format="json").status_code == 200
        assert tasks.tell_staff() == 1
    text = mailoutbox[1].body
    assert text.count("given a new secret") == 2
    assert "was changed to https://8.8.8.8/xxx" in text
    assert "now https://8.8.8.8/xxx" in text
    assert contact_mails.shown_url("https://8.8.8.8/a?token=b") == "https://8.8.8.8/a?…"
    assert long_host in contact_mails.shown_url(f"https://{long_host}/{'x' * 300}")


def test_a_refused_mail_is_not_tried_again_with_each_change(api, monkeypatch):
    send = Mock(side_effect=SMTPDataError(554, b"looks like spam"))
    monkeypatch.setattr(mail, "send_mail", send)
    pk = create(api)
    for number in range(5):
        tasks.tell_staff()
        api.patch(f"/v1/webhooks/{pk}", {"url": f"https://8.8.8.8/{number}"}, format="json")
        create(api)
    send.assert_called_once()


def test_a_mail_about_very_many_webhooks_is_not_very_long(api, client_1234, mailoutbox):
    kept = create(api)
    long = "x" * 1_900
    for number in range(60):
        pk = create(api, f"https://8.8.8.8/{number}?{long}")
        api.patch(f"/v1/webhooks/{pk}", {"url": f"https://9.9.9.9/{number}?{long}"}, format="json")
        api.delete(f"/v1/webhooks/{pk}")
    api.patch(f"/v1/webhooks/{kept}", {"url": "https://1.1.1.1/"}, format="json")
    assert tasks.tell_staff() == 1
    text = mailoutbox[0].body
    assert f"the URL {URL} was changed to https://1.1.1.1/" in text
    assert "And 50 more were deleted." in text
    assert len(text) < 20_000
    assert not Webhook.objects.exclude(unnotified_changes="").exists()


def test_of_more_webhooks_than_a_mail_is_about_the_deleted_are_counted(
    api, client_1234, mailoutbox, monkeypatch
):
    monkeypatch.setattr(mail, "MOST_WEBHOOKS", 3)
    for number in range(6):
        api.delete(f"/v1/webhooks/{create(api, f'https://8.8.8.8/{number}')}")
    kept = create(api)
    assert tasks.tell_staff() == 1
    text = mailoutbox[0].body
    assert f"Webhook {kept}" in text
    assert "https://8.8.8.8/0" in text
    assert "And 4 more were deleted." in text
    assert not Webhook.objects.exclude(contact_due_at=None).exists()


def test_of_many_webhooks_that_were_changed_often_each_has_few_lines(api, mailoutbox):
    made = [create(api, f"https://8.8.8.8/{number}") for number in range(70)]
    Webhook.objects.update(unnotified_changes="\n".join(f"change {n}" for n in range(20)))
    assert tasks.tell_staff() == 1
    text = mailoutbox[0].body
    assert all(pk in text for pk in made)
    assert text.count("change 0\n… and others in between …\nchange 19") == 70
    assert "change 10" not in text


def test_a_deletion_under_way_when_a_mail_begins_is_in_the_next(api, mailoutbox, monkeypatch):
    create(api)
    second = create(api)
    send_mail = mail.send_mail
    begun = timezone.now()
    Webhook.objects.filter(pk=second).update(contact_due_at=None)

    def delete_meanwhile(*arguments, **more):
        Webhook.objects.filter(pk=second).update(
            deleted_at=begun, contact_due_at=begun, unnotified_changes="deleted"
        )
        send_mail(*arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(mail, "send_mail", delete_meanwhile)
        assert tasks.tell_staff() == 1
    assert second not in mailoutbox[0].body
    with later(minutes=11):
        assert tasks.tell_staff() == 1
    assert second in mailoutbox[1].body


def test_many_mails_leave_the_rest_to_the_next_sweep(api, stranger, mailoutbox, monkeypatch):
    """A recovery and a cancellation wait for them."""
    Client.objects.update(contact_email="ops@bank.example")
    create(api)
    create(stranger.api)
    with monkeypatch.context() as patch:
        patch.setattr(contact_mails, "time", Mock(monotonic=Mock(side_effect=[0.0, 2.0])))
        assert contact_mails.send_due(until=1.0) == 1
    assert tasks.tell_staff() == 1


def test_the_sweep_wakes_a_worker_until_the_contact_is_told(api, monkeypatch):
    wakeup = Mock()
    monkeypatch.setattr("webhooks.delivery.housekeeping.SEND_MAILS", wakeup)
    create(api)
    for _ in range(2):
        sweep()
        tasks.tell_staff()
    wakeup.send.assert_called_once()


def test_a_contact_that_is_replaced_meanwhile_gets_nothing(api, stranger, mailoutbox, monkeypatch):
    Client.objects.update(contact_email="old@bank.example")
    create(api)
    create(stranger.api)
    send_mail = mail.send_mail

    def replace_first(*arguments, **more):
        Client.objects.update(contact_email="new@bank.example")
        send_mail(*arguments, **more)

    monkeypatch.setattr(mail, "send_mail", replace_first)
    assert tasks.tell_staff() == 2
    assert [message.to for message in mailoutbox] == [["old@bank.example"], ["new@bank.example"]]


def test_without_a_contact_nothing_is_due(api):
    Client.objects.update(contact_email="")
    create(api)
    assert not Webhook.objects.exclude(contact_due_at=None).exists()


def test_without_a_server_what_is_to_be_told_waits_for_one(api, mailoutbox, settings, monkeypatch):
    settings.PAVE_SENDS_MAIL = False
    create(api)
    woken = Mock()
    monkeypatch.setattr("webhooks.delivery.housekeeping.SEND_MAILS", woken)
    sweep()
    assert (tasks.tell_staff(), mailoutbox, woken.send.called) == (0, [], False)
    settings.PAVE_SENDS_MAIL = True
    sweep()
    assert woken.send.called
    assert tasks.tell_staff() == 1
    assert "created" in mailoutbox[0].body
