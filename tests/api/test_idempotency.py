import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from merchants.models import Batch, NormalizationRequest
from merchants.requests import submission
from pave.api import idempotency
from pave.api.models import IdempotencyKey
from tests.api.problems import problem
from tests.merchants.batching import NDJSON
from tests.servers import ON_SQLITE

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

BODY = {"description": "NETFLIX.COM", "amount": "12.99"}
ROUTES = ["/normalize_merchant", "/v1/normalizations"]


def post(api, key, body=BODY, route="/v1/normalizations"):
    return api.post(route, body, format="json", HTTP_IDEMPOTENCY_KEY=key)


@pytest.mark.parametrize("route", ROUTES)
def test_the_first_answer_is_replayed(api, route):
    first = post(api, "k-1", route=route)
    again = post(api, "k-1", route=route)
    assert "idempotency-replayed" not in first
    assert again["idempotency-replayed"] == "true"
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again["location"] == first["location"]
    assert NormalizationRequest.objects.count() == 1


def test_a_webhook_is_made_once_and_its_secret_is_kept_encrypted(api, loopback_allowed):
    body = {"url": "http://127.0.0.1:9000/hook"}
    first = post(api, "k-1", body, "/v1/webhooks")
    again = post(api, "k-1", body, "/v1/webhooks")
    assert (first.status_code, again.content) == (201, first.content)
    assert again["idempotency-replayed"] == "true"
    assert len(api.get("/v1/webhooks").json()["data"]) == 1
    assert first.json()["secret"].encode() not in bytes(IdempotencyKey.objects.get().body)


def test_what_is_stored_does_not_tell_what_was_masked(api):
    """Of a card number, of which the other digits are known, a plain digest would tell the rest."""
    body = {"description": "PAYPAL 4539578763621486"}
    first = post(api, "k-1", body)
    row = IdempotencyKey.objects.get()
    text = f"POST\n/v1/normalizations\n{json.dumps(body, sort_keys=True)}"
    plain = hashlib.sha256(text.encode()).hexdigest()
    assert row.fingerprint != plain
    # The form of earlier releases is known for as long as its rows are kept.
    IdempotencyKey.objects.update(fingerprint=plain)
    assert post(api, "k-1", body).content == first.content
    problem(post(api, "k-1", {"description": "PAYPAL 4539578763621487"}), 422)


def test_a_fingerprint_outlives_the_secret_key(api, settings):
    first = post(api, "k-1")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "n" * 60, [settings.SECRET_KEY]
    assert post(api, "k-1").content == first.content


def test_a_kept_answer_outlives_the_key_that_encrypted_it(api, settings):
    old, new = settings.FIELD_ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
    first = post(api, "k-1")
    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    call_command("rotate_encryption")
    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert post(api, "k-1").content == first.content


def test_an_answer_that_no_key_opens_is_refused_in_words(api, settings):
    post(api, "k-1")
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    call_command("rotate_encryption")  # leaves it alone
    problem(post(api, "k-1"), 409)
    assert NormalizationRequest.objects.count() == 1


def test_a_batch_is_taken_once(api):
    def send():
        return api.post(
            "/v1/batches",
            b'{"description": "A"}\n{"description": ""}\n',
            content_type=NDJSON,
            HTTP_IDEMPOTENCY_KEY='"b-1"',
        )

    first, again = send(), send()
    assert again.content == first.content
    assert again["idempotency-replayed"] == "true"
    assert (Batch.objects.count(), NormalizationRequest.objects.count()) == (1, 1)


def test_a_key_is_the_same_in_quotes_and_without(api):
    assert post(api, '"k-1"').json() == post(api, "k-1").json()


def test_members_may_come_in_another_order(api):
    first = post(api, "k-1")
    swapped = '{"amount": "12.99", "description": "NETFLIX.COM"}'
    again = api.post(
        "/v1/normalizations",
        swapped,
        content_type="application/json",
        HTTP_IDEMPOTENCY_KEY="k-1",
    )
    assert again.content == first.content


@pytest.mark.parametrize(
    ("route", "body"),
    [("/v1/normalizations", {**BODY, "amount": "13"}), ("/normalize_merchant", BODY)],
)
def test_another_request_with_the_same_key_is_422(api, route, body):
    post(api, "k-1")
    problem(post(api, "k-1", body, route), 422)
    assert NormalizationRequest.objects.count() == 1


def test_each_client_has_keys_of_its_own(api, stranger_api):
    assert post(api, "k-1").json() != post(stranger_api, "k-1").json()
    assert NormalizationRequest.objects.count() == 2


@pytest.mark.parametrize(
    "key", ["", '""', '"a', 'a"b', "a b", "a,b", '"a", "b"', "x" * 256, "ü", '"a";q=1', "\x7f"]
)
def test_a_malformed_key_is_400(api, key):
    problem(post(api, key), 400, "Idempotency-Key")
    assert not NormalizationRequest.objects.exists()


def test_a_request_that_was_refused_may_be_put_right(api):
    problem(post(api, "k-1", {"description": ""}), 400)
    assert post(api, "k-1").status_code == 202
    assert "idempotency-replayed" in post(api, "k-1")


@pytest.mark.skipif(ON_SQLITE, reason="there the second waits for the first one's transaction")
@pytest.mark.django_db(transaction=True)
def test_a_request_in_progress_is_409_and_may_be_repeated_soon(api, client_1234, monkeypatch):
    handled, go_on = threading.Event(), threading.Event()
    submit = submission.submit

    def slow(**fields):
        handled.set()
        assert go_on.wait(10)
        return submit(**fields)

    monkeypatch.setattr(submission, "submit", slow)

    def send():
        try:
            return post(api, "k-1").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(send)
        assert handled.wait(10)
        refused = post(APIClient(HTTP_AUTHORIZATION=f"Api-Key {client_1234.key}"), "k-1")
        go_on.set()
        problem(refused, 409)
        assert refused["Retry-After"] == "1"
        assert first.result(10) == 202
    assert post(api, "k-1")["idempotency-replayed"] == "true"
    assert NormalizationRequest.objects.count() == 1


@pytest.mark.skipif(ON_SQLITE, reason="SQLite has no connection to lose")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("route", ROUTES)
def test_a_key_is_free_as_soon_as_its_process_or_the_database_dies(api, monkeypatch, route):
    submit = submission.submit

    def killed(**fields):
        submit(**fields)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(submission, "submit", killed)
    problem(post(api, "k-1", route=route), 503)
    monkeypatch.undo()
    repeated = post(api, "k-1", route=route)
    assert repeated.status_code == 202
    assert "idempotency-replayed" not in repeated
    assert NormalizationRequest.objects.count() == 1


def test_a_fault_of_ours_frees_the_key(api, monkeypatch):
    api.raise_request_exception = False
    monkeypatch.setattr(submission, "submit", lambda **_: 1 / 0)
    assert post(api, "k-1").status_code == 500
    monkeypatch.undo()
    assert post(api, "k-1").status_code == 202


@pytest.mark.django_db(transaction=True)  # the connection is closed
def test_a_commit_of_which_no_word_came_back_is_not_made_twice(api, monkeypatch):
    submit = submission.submit

    def lost():
        raise OperationalError("server closed the connection unexpectedly")

    def submit_and_lose_the_commit(**fields):
        transaction.on_commit(lost)
        return submit(**fields)

    monkeypatch.setattr(submission, "submit", submit_and_lose_the_commit)
    problem(post(api, "k-1"), 503)
    monkeypatch.undo()
    repeated = post(api, "k-1")
    assert repeated.status_code == 202
    assert repeated["Idempotency-Replayed"] == "true"
    assert NormalizationRequest.objects.count() == 1


def test_a_key_is_kept_for_24_hours(api):
    with time_machine.travel(timezone.now(), tick=False) as now:
        first = post(api, "k-1")
        now.shift(timedelta(hours=23, minutes=59))
        assert post(api, "k-1").content == first.content
        now.shift(timedelta(minutes=2))
        assert post(api, "k-1", {"description": "OTHER"}).status_code == 202


def test_the_sweep_forgets_what_has_expired(api):
    post(api, "k-1")
    idempotency.sweep(now=timezone.now() + timedelta(hours=25))
    assert not IdempotencyKey.objects.exists()


def test_what_is_kept_is_encrypted(api):
    request_id = post(api, "k-1").json()["request_id"]
    assert request_id.encode() not in bytes(IdempotencyKey.objects.get().body)


def test_the_key_itself_is_not_kept(api):
    post(api, "payment-of-jane-doe")
    assert "jane" not in IdempotencyKey.objects.get().key


def test_what_is_kept_of_a_key_and_its_request_cannot_be_guessed(api, settings):
    kept = []
    for secret in ("one" * 20, "two" * 20):
        settings.SECRET_KEY = secret
        post(api, "4111111111111111")
        row = IdempotencyKey.objects.latest("id")
        kept += [row.key, row.fingerprint]
    assert len(set(kept)) == 4


def test_a_key_that_an_earlier_release_kept_in_clear_still_counts(api):
    first = post(api, "k-1")
    IdempotencyKey.objects.update(key="k-1")
    again = post(api, "k-1")
    assert again["idempotency-replayed"] == "true"
    assert again.content == first.content
    problem(post(api, "k-1", {"description": "OTHER"}), 422)
    assert IdempotencyKey.objects.get().key == "k-1"
    assert NormalizationRequest.objects.count() == 1


@pytest.mark.parametrize(("minutes_left", "status"), [(1, 409), (-1, 202)])
def test_a_request_that_an_earlier_release_handles_is_in_progress(
    api, client_1234, minutes_left, status
):
    post(api, "k-1")
    NormalizationRequest.objects.all().delete()
    IdempotencyKey.objects.update(
        key="k-1",
        lease_expires_at=timezone.now() + timedelta(minutes=minutes_left),
        status_code=None,
        body=None,
    )
    assert post(api, "k-1").status_code == status
    assert NormalizationRequest.objects.count() == (status == 202)


def test_what_an_earlier_release_kept_for_long_enough_no_longer_counts(api):
    with time_machine.travel(timezone.now(), tick=False) as now:
        post(api, "k-1")
        IdempotencyKey.objects.update(key="k-1")
        now.shift(timedelta(hours=24, minutes=1))
        assert post(api, "k-1", {"description": "OTHER"}).status_code == 202


def test_a_key_still_counts_when_the_secret_key_has_changed(api, client_1234, settings):
    first = post(api, "k-1")
    old = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a-new-one" * 8, [old]
    assert post(api, "k-1").content == first.content
    assert NormalizationRequest.objects.count() == 1


def test_without_a_key_nothing_is_kept(api):
    api.post("/v1/normalizations", BODY, format="json")
    assert not IdempotencyKey.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_fifty_at_once_one_makes_a_request(client_1234):
    started = threading.Barrier(10)

    def send(_):
        started.wait(10)
        api = APIClient(HTTP_AUTHORIZATION=f"Api-Key {client_1234.key}")
        try:
            response = post(api, "k-1")
            return response.status_code, response.content
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(send, range(50)))
    assert NormalizationRequest.objects.count() == 1
    assert {status for status, _ in answers} <= {202, 409}
    taken = {json.loads(content)["request_id"] for status, content in answers if status == 202}
    assert taken == {str(NormalizationRequest.objects.get().pk)}
    # One that is used is in progress for nobody.
    with ThreadPoolExecutor(10) as pool:
        assert {status for status, _ in pool.map(send, range(50))} == {202}
