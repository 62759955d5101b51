"""A client that is erased leaves nothing behind, in any table."""

import copy
import io
import threading
import time
from datetime import timedelta
from unittest import mock

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core import signing
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from merchants.catalogue import feedback
from merchants.models import Batch, Merchant, NormalizationRequest, Resolution
from merchants.requests import admission, batches, erasure, submission, worker
from merchants.requests.batches import Row
from pave.clients import api_keys
from pave.clients.models import ApiKey, Client
from pave.staff.models import AuditEntry
from tests.factories import DeliveryFactory, EventFactory
from tests.merchants.heuristics import FirstWord
from webhooks.endpoints import services
from webhooks.models import Webhook

pytestmark = pytest.mark.django_db

MARK = "Gertrude-Unmistakable"


@pytest.fixture(autouse=True)
def heuristic(settings):
    settings.PAVE_HEURISTIC = f"{FirstWord.__module__}.FirstWord"


def everything_stored():
    """Return the text of every row of every table."""
    text = []
    with connection.cursor() as cursor:
        for model in apps.get_models():
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')  # noqa: S608 - names of our own tables
            for row in cursor.fetchall():
                text += [
                    bytes(value).decode("latin-1") if isinstance(value, memoryview) else str(value)
                    for value in row
                ]
    return "\n".join(text)


def work():
    admission.admit_batch()
    worker.resolve_due()


def submit(caller, description, **fields):
    return submission.submit(client=caller.client, fields={"description": description, **fields})


def erase(client_id):
    output = io.StringIO()
    call_command("erase_client", client_id, "--yes", stdout=output)
    return output.getvalue()


def test_nothing_of_it_is_left_in_any_table(client_1234, webhook, stranger):
    Client.objects.filter(pk=client_1234.client.pk).update(name=MARK)
    request = submit(client_1234, f"SHOP {MARK}", city=MARK, reference=MARK)
    submit(client_1234, "UNFINISHED")
    work()
    feedback.give(request=request, merchant=MARK, comment=MARK)
    submit(stranger, "SHOP")
    work()
    assert MARK in everything_stored()

    erase("1234")

    assert MARK not in everything_stored()
    assert NormalizationRequest.objects.count() == 1
    assert not Client.objects.filter(client_id="1234").exists()


def test_an_answer_that_others_share_stays_for_them(client_1234, stranger):
    submit(client_1234, f"NETFLIX {MARK}", city=MARK)
    work()
    other = submit(stranger, "NETFLIX 2")
    work()
    assert Resolution.objects.count() == 1

    erase("1234")

    resolution = Resolution.objects.get()
    other.refresh_from_db()
    assert other.resolution == resolution


def test_its_keys_open_nothing_from_the_first_step_on(client_1234):
    assert client_1234.api.get("/v1/normalizations").status_code == 200
    erase("1234")
    assert client_1234.api.get("/v1/normalizations").status_code == 401


@pytest.mark.storage
def test_who_calls_meanwhile_leaves_nothing_in_the_cache(client_1234):
    Client.objects.update(name=MARK)
    name = f"api-key:{client_1234.key.partition('.')[0]}"
    steps = erasure.erase(client=Client.objects.get())
    next(steps)
    cache.delete(name)  # as its marker ends
    assert api_keys.authenticate(client_1234.key) is None
    assert MARK in str(signing.loads(cache.get(name), salt=name))
    list(steps)
    assert cache.get(name) in (None, "changed")


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
    work()
    send()
    erase("1234")
    assert MARK not in everything_stored()


def test_a_proposal_that_was_merged_goes_with_the_client(superuser, client_1234):
    request = submit(client_1234, "SHOP 12")
    work()
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
    work()
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
    work()
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
    work()
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
    work()
    entry = staff_do(superuser, request, "wrong", {"merchant": MARK})
    request.delete()  # as retention does
    assert MARK in everything_stored()

    erase("1234")

    assert MARK not in everything_stored()
    entry.refresh_from_db()
    assert entry.object_name == "erased"


@pytest.mark.django_db(transaction=True)
def test_a_batch_that_is_being_taken_goes_with_the_client(client_1234):
    client, taking, errors = client_1234.client, threading.Event(), []

    def rows():
        yield Row(1, None, {"description": f"SHOP {MARK}"})
        taking.set()
        time.sleep(1)  # as a client sends it, or as long as reading it takes
        yield Row(2, None, {"description": f"SHOP {MARK}"})

    def upload():
        try:
            batches.accept(client=client, rows=rows())
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    uploading = threading.Thread(target=upload)
    uploading.start()
    assert taking.wait(20)
    erase("1234")
    uploading.join(20)
    assert errors == []
    assert MARK not in everything_stored()


def test_no_batch_of_a_client_is_taken_once_it_is_inactive(client_1234):
    Client.objects.update(active=False)
    with pytest.raises(Client.DoesNotExist):
        batches.accept(client=client_1234.client, rows=[Row(1, None, {"description": "SHOP"})])
    assert not Batch.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_nothing_of_it_is_left_in_the_statistics(client_1234, webhook, stranger):
    if connection.vendor != "postgresql":
        return  # which keeps no texts in them
    for _ in range(5):
        submit(client_1234, f"SHOP {MARK}", city=MARK)
    submit(stranger, "SHOP")  # PostgreSQL keeps those of a table that has become empty
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE merchants_normalizationrequest")
        kept = "SELECT count(*) FROM pg_stats WHERE most_common_vals::text LIKE %s"
        cursor.execute(kept, [f"%{MARK}%"])
        assert cursor.fetchone()[0]
        erase("1234")
        cursor.execute(kept, [f"%{MARK}%"])
        assert cursor.fetchone()[0] == 0


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


def test_of_what_is_posted_while_it_is_erased_nothing_is_left(client_1234, settings):
    settings.PAVE_HEURISTIC = "merchants.catalogue.rulesets.CatalogueHeuristic"
    settings.PAVE_SHARE_UNKNOWN = True
    client = client_1234.client
    steps = erasure.erase(client=client)
    while next(steps)[0] != "webhooks":
        pass
    # By who was let in before, and committed only now.
    submission.submit(client=client, fields={"description": f"{MARK} SHOP"})
    work()
    assert MARK.upper() in everything_stored().upper()
    list(steps)
    assert not Client.objects.exists()
    assert MARK.upper().replace("-", " ") not in everything_stored().upper().replace("-", " ")


def test_a_page_of_the_client_that_staff_save_meanwhile_leaves_no_trace(client_1234, superuser):
    steps = erasure.erase(client=client_1234.client)
    next(steps)
    url = reverse("admin:clients_client_change", args=[client_1234.client.pk])
    saved = superuser.post(url, {"name": MARK, "active": "on", "share": "3"})
    assert saved.status_code == 302
    assert not Client.objects.get().active
    list(steps)
    assert MARK not in everything_stored()


def test_no_process_accepts_a_key_after_the_first_step(client_1234):
    _, secret = api_keys.issue(client=client_1234.client)
    another = copy.copy(api_keys._by_prefix)
    another._in_process = {}
    with mock.patch.object(api_keys, "_by_prefix", another):
        assert api_keys.authenticate(secret)
    next(erasure.erase(client=client_1234.client))
    with mock.patch.object(api_keys, "_by_prefix", another):
        assert api_keys.authenticate(secret) is None


def test_staff_who_activate_it_meanwhile_do_not_let_its_keys_in(client_1234, superuser):
    steps = erasure.erase(client=client_1234.client)
    next(steps)
    for name in ("activate", "make_key"):
        url = reverse("admin:clients_client_do", args=[client_1234.client.pk, name])
        superuser.post(url, {"name": "new"})
    assert not Client.objects.get().active
    assert ApiKey.objects.count() == 1
    assert client_1234.api.get("/v1/usage").status_code == 401
    list(steps)
    assert not Client.objects.exists()


@pytest.mark.parametrize("name", ["deactivate", "activate", "make_key"])
@pytest.mark.parametrize("late", [False, True])
def test_what_staff_do_to_it_in_the_last_moment_leaves_no_trace(
    client_1234, superuser, name, late, monkeypatch
):
    client = client_1234.client
    Client.objects.filter(pk=client.pk).update(name=MARK, active=name == "deactivate")
    url = reverse("admin:clients_client_do", args=[client.pk, name])
    forget = erasure._forget_history_of_what_is_gone
    calls = []

    def press_first():
        if not calls:
            calls.append(name)
            superuser.post(url, {"name": MARK})
        forget()

    if late:  # after it was looked whether anything is left
        monkeypatch.setattr(erasure, "_forget_history_of_what_is_gone", press_first)
        list(erasure.erase(client=client))
    else:
        steps = erasure.erase(client=client)
        while next(steps)[0] != "webhooks":
            pass
        superuser.post(url, {"name": MARK})
        list(steps)
    assert not Client.objects.exists()
    assert MARK not in everything_stored()


def test_a_button_whose_client_is_erased_under_it_leaves_no_trace(
    client_1234, superuser, monkeypatch
):
    client = client_1234.client
    Client.objects.filter(pk=client.pk).update(name=MARK)
    key, _ = api_keys.issue(client=client, name=MARK)
    revoke = api_keys.revoke

    def erase_first(**kwargs):
        list(erasure.erase(client=client))
        revoke(**kwargs)

    monkeypatch.setattr(api_keys, "revoke", erase_first)
    superuser.post(reverse("admin:clients_apikey_do", args=[key.prefix, "revoke"]))
    assert not Client.objects.exists()
    assert MARK not in everything_stored()


def test_the_command_erases_a_client_that_has_used_every_route(client_1234, settings):
    settings.PAVE_HEURISTIC = "merchants.catalogue.rulesets.CatalogueHeuristic"
    post = client_1234.api.post
    for key in ("a", "b"):
        made = post(
            "/v1/normalizations", {"description": MARK}, format="json", HTTP_IDEMPOTENCY_KEY=key
        )
        assert made.status_code == 202
    post("/v1/webhooks", {"url": "https://example.com/hook"}, format="json")
    post("/v1/batches", {"transactions": [{"description": MARK}]}, format="json")
    work()
    call_command("erase_client", "1234", "--yes", stdout=io.StringIO())
    assert not Client.objects.exists()
    assert MARK not in everything_stored()


def test_the_history_of_other_clients_keys_stays(client_1234, stranger, superuser):
    key, _ = api_keys.issue(client=stranger.client, name="prod")
    superuser.post(reverse("admin:clients_apikey_do", args=[key.prefix, "revoke"]))
    before = AuditEntry.objects.values().get()
    list(erasure.erase(client=client_1234.client))
    assert AuditEntry.objects.values().get() == before


def test_a_client_that_is_being_erased_gets_no_key(client_1234):
    key, _ = api_keys.issue(client=client_1234.client)
    next(erasure.erase(client=client_1234.client))
    for give in (
        lambda: api_keys.issue(client=client_1234.client),
        lambda: api_keys.rotate(key=key),
    ):
        with pytest.raises(api_keys.Erasing):
            give()
    with pytest.raises(CommandError, match="being erased"):
        call_command("create_client", "1234", stdout=io.StringIO())
