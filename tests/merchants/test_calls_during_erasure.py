"""Callers and staff go on while a client is erased, and leave nothing of it behind."""

import copy
import io
import threading
import time
from unittest import mock

import pytest
from django.core import signing
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse

from merchants.models import Batch
from merchants.requests import batches, erasure, submission, usage
from merchants.requests.batches import Row
from pave.clients import api_keys
from pave.clients.models import ApiKey, Client
from tests.merchants.cluster import run_cluster
from tests.merchants.erasing import erase, everything_stored
from tests.servers import ON_SQLITE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("first_word")]

MARK = "Gertrude-Unmistakable"


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


def test_of_what_is_posted_while_it_is_erased_nothing_is_left(client_1234, settings):
    settings.PAVE_HEURISTIC = "merchants.catalogue.rulesets.CatalogueHeuristic"
    settings.PAVE_SHARE_UNKNOWN = True
    client = client_1234.client
    steps = erasure.erase(client=client)
    while next(steps)[0] != "webhooks":
        pass
    # By who was let in before, and committed only now.
    submission.submit(client=client, fields={"description": f"{MARK} SHOP"})
    run_cluster()
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

    def revoke_and_erase(**kwargs):
        revoke(**kwargs)
        list(erasure.erase(client=client))

    monkeypatch.setattr(api_keys, "revoke", revoke_and_erase)
    superuser.post(reverse("admin:clients_apikey_do", args=[key.prefix, "revoke"]))
    assert not Client.objects.exists()
    assert MARK not in everything_stored()


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


@pytest.mark.skipif(ON_SQLITE, reason="There a post waits until the erasure has ended.")
@pytest.mark.django_db(transaction=True)
def test_a_post_that_is_counted_by_its_quota_meanwhile_goes_with_the_client(
    client_1234, monkeypatch
):
    """It has locked its count, and locks its client's row in the end."""
    client = client_1234.client
    Client.objects.update(monthly_quota=10)
    client.refresh_from_db()
    submission.submit(client=client, fields={"description": "SHOP"})
    charge, forget = usage.charge, erasure._forget_history_of_what_is_gone
    counted, ending, statuses = threading.Event(), threading.Event(), []

    def charge_and_wait(*arguments, **more):
        charge(*arguments, **more)
        counted.set()
        ending.wait(20)

    def forget_and_go_on():
        ending.set()
        forget()

    def post():
        try:
            made = client_1234.api.post("/v1/normalizations", {"description": MARK}, format="json")
            statuses.append(made.status_code)
        finally:
            connection.close()

    monkeypatch.setattr(usage, "charge", charge_and_wait)
    monkeypatch.setattr(erasure, "_forget_history_of_what_is_gone", forget_and_go_on)
    monkeypatch.setattr(erasure, "LOOK_EVERY", 0.05)
    posting = threading.Thread(target=post)
    posting.start()
    assert counted.wait(20)
    erasing = threading.Timer(2 * erasure.PROCESS_SECONDS, ending.set)
    erasing.start()
    list(erasure.erase(client=client))
    posting.join()
    erasing.join()
    assert statuses == [202]
    assert not Client.objects.exists()
    assert MARK not in everything_stored()
