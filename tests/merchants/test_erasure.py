"""A client that is erased leaves nothing behind, in any table."""

import io
from datetime import timedelta
from unittest.mock import Mock

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from merchants.catalogue import feedback
from merchants.models import Merchant, NormalizationRequest, Resolution
from merchants.requests import admission, erasure, submission
from pave.clients import api_keys
from pave.clients.models import Client
from pave.staff.models import AuditEntry
from tests.factories import DeliveryFactory, EventFactory, SigningSecretFactory, WebhookFactory
from tests.merchants.cluster import run_cluster
from tests.merchants.erasing import erase, everything_stored
from webhooks.delivery import recovery
from webhooks.endpoints import enabling, services
from webhooks.models import Webhook

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("first_word")]
MARK = "Gertrude-Unmistakable"


def submit(caller, description, **fields):
    return submission.submit(client=caller.client, fields={"description": description, **fields})


def test_nothing_of_it_is_left_in_any_table(client_1234, webhook, stranger):
    Client.objects.filter(pk=client_1234.client.pk).update(name=MARK)
    request = submit(client_1234, f"SHOP {MARK}", city=MARK, reference=MARK)
    submit(client_1234, "UNFINISHED")
    run_cluster()
    feedback.give(request=request, merchant=MARK, comment=MARK)
    submit(stranger, "SHOP")
    run_cluster()
    assert MARK in everything_stored()

    erase("1234")

    assert MARK not in everything_stored()
    assert NormalizationRequest.objects.count() == 1
    assert not Client.objects.filter(client_id="1234").exists()


def test_an_answer_that_others_share_stays_for_them(client_1234, stranger):
    submit(client_1234, f"NETFLIX {MARK}", city=MARK)
    run_cluster()
    other = submit(stranger, "NETFLIX 2")
    run_cluster()
    assert Resolution.objects.count() == 1

    erase("1234")

    resolution = Resolution.objects.get()
    other.refresh_from_db()
    assert other.resolution == resolution


def test_it_can_be_repeated_from_the_log_after_a_restore(client_1234, caplog):
    with caplog.at_level("INFO"):
        erase("1234")
    assert [line.client for line in caplog.records if line.message == "client.erased"] == ["1234"]


def test_it_waits_for_nobody_who_is_gone(client_1234, webhook):
    """A restored backup has runs and messages in flight, and no cluster runs."""
    request = submit(client_1234, "SHOP")
    admission.admit_batch()
    event = EventFactory(client=client_1234.client)
    gone = {"claimed_by": "gone/1/2", "lease_expires_at": timezone.now() - timedelta(seconds=1)}
    DeliveryFactory(webhook=webhook, event=event, status="delivering", **gone)
    request.refresh_from_db()
    Resolution.objects.filter(pk=request.resolution_id).update(
        client=client_1234.client, status="running", **gone
    )
    erase("1234")
    assert not Client.objects.filter(client_id="1234").exists()


def test_from_its_first_step_on_nothing_is_sent(client_1234, receiver, send, monkeypatch):
    """Also not what a recovery has queued for a webhook that its client disabled."""
    webhook = WebhookFactory(client=client_1234.client, url=receiver.url("/hook"))
    SigningSecretFactory(webhook=webhook)
    submit(client_1234, "NETFLIX.COM")
    run_cluster()
    enabling.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.CLIENT)
    now = timezone.now()
    job = recovery.start(webhook=webhook, since=now - timedelta(hours=1), until=now)
    recovery.advance(job.pk)
    assert webhook.deliveries.filter(status="pending", trigger="recover").exists()
    sent = []
    monkeypatch.setattr(erasure, "time", Mock(sleep=lambda seconds: sent.append(send())))
    list(erasure.erase(client=client_1234.client))
    assert sent
    assert not any(sent)


def test_it_asks_first(client_1234, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda prompt: "no")
    with pytest.raises(CommandError, match="Nothing was erased"):
        call_command("erase_client", "1234")
    assert Client.objects.filter(client_id="1234").exists()


def test_an_unknown_client_is_an_error():
    with pytest.raises(CommandError, match="no client"):
        call_command("erase_client", "nobody", "--yes")


def test_a_delivered_event_goes_with_the_client(client_1234, webhook, receiver, send):
    submit(client_1234, f"SHOP {MARK}")
    run_cluster()
    send()
    erase("1234")
    assert MARK not in everything_stored()


def test_a_proposal_that_was_merged_goes_with_the_client(superuser, client_1234):
    request = submit(client_1234, "SHOP 12")
    run_cluster()
    given = feedback.give(request=request, merchant=MARK)
    staff_do(superuser, given, "accept", {"new_name": MARK, "text": "A SHOP", "keep": "on"})
    proposed = Merchant.objects.get(name=MARK)
    successor = Merchant.objects.create(name="Others")
    staff_do(superuser, proposed, "merge", {"into": successor.pk})
    assert not Merchant.objects.filter(name=MARK).exists()
    assert [alias.text for alias in successor.aliases.all()] == ["A SHOP"]

    erase("1234")

    assert MARK not in everything_stored()


def test_what_staff_did_to_rows_that_are_gone_names_nobody(superuser, client_1234, webhook):
    request = submit(client_1234, "SHOP 12")
    run_cluster()
    given = feedback.give(request=request, merchant=MARK)
    staff_do(superuser, given, "accept", {"new_name": MARK, "text": "A SHOP", "keep": "on"})
    rule = {"kind": "contains", "pattern": MARK, "priority": "0", "active": "on"}
    rule["merchant"] = str(Merchant.objects.get(name=MARK).pk)
    assert superuser.post(reverse("admin:merchants_rule_add"), rule).status_code == 302
    Webhook.objects.update(url=f"http://127.0.0.1/{MARK}")
    staff_do(superuser, webhook, "disable")
    services.delete(webhook=webhook)
    Webhook.objects.all().delete()  # as retention does

    erase("1234")

    assert MARK not in everything_stored()


def test_counts_of_its_webhooks_go_with_the_client(client_1234, webhook, receiver, send):
    submit(client_1234, "SHOP")
    run_cluster()
    send()
    assert str(webhook.pk) in everything_stored()
    erase("1234")
    assert str(webhook.pk) not in everything_stored()


def staff_do(superuser, obj, button, data=None):
    """Press a button of an object's page; return the entry that it made in the audit trail."""
    page = f"admin:{obj._meta.app_label}_{obj._meta.model_name}_do"
    url = reverse(page, args=[getattr(obj, "audit_id", obj.pk), button])
    assert superuser.post(url, data or {}).status_code in (200, 302)
    return AuditEntry.objects.latest("id")


def test_what_staff_did_to_it_stays_on_record_without_a_word_of_its(
    superuser, client_1234, webhook, stranger
):
    client, request = client_1234.client, submit(client_1234, f"SHOP {MARK}")
    others = submit(stranger, "SHOP OF OTHERS")
    run_cluster()
    superuser.post(
        reverse("admin:clients_client_change", args=[client.pk]),
        {"name": MARK, "active": "on", "share": "1", "notes": f"Ask {MARK}"},
    )
    webhook.description = MARK
    webhook.save()
    key, _ = api_keys.issue(client=client, name=MARK)
    done = [
        AuditEntry.objects.latest("id"),
        staff_do(superuser, client, "make_key", {"name": MARK}),
        staff_do(superuser, key, "revoke"),
        staff_do(superuser, webhook, "disable"),
        staff_do(superuser, request, "wrong", {"merchant": MARK, "comment": f"Says {MARK}"}),
        staff_do(superuser, request.feedback.get(), "reject"),
    ]
    kept = staff_do(superuser, others, "wrong", {"merchant": "Others"})
    LogEntry.objects.create(
        user=superuser.user,
        content_type=ContentType.objects.get_for_model(request),
        object_id=str(request.pk),
        object_repr=f"SHOP {MARK}",
        action_flag=CHANGE,
        change_message=MARK,
    )
    assert len({entry.pk for entry in done}) == len(done)
    assert MARK in str(list(AuditEntry.objects.values()))

    erase("1234")

    assert MARK not in everything_stored()
    for entry in done:
        action = entry.action
        entry.refresh_from_db()
        assert (entry.username, entry.action) == (superuser.user.username, action)
        assert (entry.object_name, entry.changes, entry.detail) == ("erased", {}, "")
    detail = kept.detail
    kept.refresh_from_db()
    assert (kept.object_name, kept.detail) == ("SHOP OF OTHERS", detail)


def test_what_staff_did_to_a_request_that_has_gone_before_is_forgotten_too(superuser, client_1234):
    request = submit(client_1234, f"SHOP {MARK}")
    run_cluster()
    entry = staff_do(superuser, request, "wrong", {"merchant": MARK})
    request.delete()  # as retention does
    assert MARK in everything_stored()

    erase("1234")

    assert MARK not in everything_stored()
    entry.refresh_from_db()
    assert entry.object_name == "erased"


@pytest.mark.django_db(transaction=True)
def test_nothing_of_it_is_left_in_the_statistics(client_1234, webhook, stranger):
    if connection.vendor != "postgresql":
        return  # which keeps no texts in them
    for _ in range(5):
        submit(client_1234, f"SHOP {MARK}", city=MARK)
    submit(stranger, "SHOP")  # PostgreSQL keeps those of a table that has become empty
    for caller, url in ((client_1234, f"https://8.8.8.8/{MARK}"), (stranger, "https://8.8.8.8/")):
        for _ in range(3):
            caller.api.post("/v1/webhooks", {"url": url}, format="json")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        kept = (
            "SELECT DISTINCT tablename FROM pg_stats"
            " WHERE most_common_vals::text || coalesce(histogram_bounds::text, '') LIKE ANY (%s)"
        )
        words = [[f"%{MARK}%", "%client 1234%"]]
        cursor.execute(kept, words)
        assert {"merchants_normalizationrequest", "staff_auditentry"} <= {
            table for (table,) in cursor.fetchall()
        }
        erase("1234")
        cursor.execute(kept, words)
        assert cursor.fetchall() == []


@pytest.mark.django_db(transaction=True)
def test_what_is_interrupted_at_its_last_step_can_be_repeated(client_1234, monkeypatch):
    with monkeypatch.context() as interrupted:
        interrupted.setattr(erasure, "_forget_statistics", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            erase("1234")
    erase("1234")
    assert not Client.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_no_id_of_it_is_left_in_the_statistics(client_1234, stranger):
    if connection.vendor != "postgresql":
        return  # as above
    for caller in (client_1234, stranger):
        for number in range(5):
            services.create(client=caller.client, url=f"http://127.0.0.1/{number}")
    erased = str(client_1234.client.webhooks.first().pk)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        kept = "SELECT tablename FROM pg_stats WHERE histogram_bounds::text LIKE %s"
        cursor.execute(kept, [f"%{erased}%"])
        assert ("webhooks_signingsecret",) in cursor.fetchall()
        erase("1234")
        cursor.execute(kept, [f"%{erased}%"])
        assert cursor.fetchall() == []


def test_the_command_erases_a_client_that_has_used_every_route(client_1234, settings):
    settings.PAVE_HEURISTIC = "merchants.catalogue.rulesets.CatalogueHeuristic"
    post = client_1234.api.post
    for key in ("a", "b"):
        made = post(
            "/v1/normalizations", {"description": MARK}, format="json", HTTP_IDEMPOTENCY_KEY=key
        )
        assert made.status_code == 202
    hook = {"url": f"https://8.8.8.8/{MARK}", "description": MARK}
    made = post("/v1/webhooks", hook, format="json", REMOTE_ADDR="192.0.2.77")
    assert made.status_code == 201
    post("/v1/batches", {"transactions": [{"description": MARK}]}, format="json")
    run_cluster()
    assert "client 1234" in everything_stored()
    assert "192.0.2.77" in everything_stored()
    call_command("erase_client", "1234", "--yes", stdout=io.StringIO())
    assert not Client.objects.exists()
    assert MARK not in everything_stored()
    assert "client 1234" not in everything_stored()
    assert "192.0.2.77" not in everything_stored()


def test_the_history_of_other_clients_keys_stays(client_1234, stranger, superuser):
    key, _ = api_keys.issue(client=stranger.client, name="prod")
    superuser.post(reverse("admin:clients_apikey_do", args=[key.prefix, "revoke"]))
    before = AuditEntry.objects.values().get()
    list(erasure.erase(client=client_1234.client))
    assert AuditEntry.objects.values().get() == before
