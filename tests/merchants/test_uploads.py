"""Uploads of batches keep neither their own client's others nor anybody else waiting for long."""

import tempfile
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
from django.db import connection, transaction
from rest_framework.test import APIClient

from merchants.api import transfer_limits
from merchants.api.transfer_limits import UPLOAD_TURNS, UPLOADS
from merchants.models import Batch, NormalizationRequest
from merchants.requests import batches, submission
from pave.api.models import IdempotencyKey
from pave.clients import api_keys, quotas
from pave.core.database import advisory_locks
from tests.api.problems import problem
from tests.fixtures import Caller
from tests.merchants.batching import JSON, NDJSON, post
from tests.servers import ON_SQLITE

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

ROWS = [{"description": "NETFLIX.COM"}]


def test_a_client_sends_one_upload_at_a_time_and_others_send_theirs(
    api: APIClient, stranger_api: APIClient, client_1234: Caller
) -> None:
    with UPLOADS.slot(client_1234.client.pk):
        refused = post(api, ROWS)
        assert "Another batch of yours" in problem(refused, 429)["detail"]
        assert int(refused["retry-after"]) >= 1
        assert post(stranger_api, ROWS).status_code == 202
    assert post(api, ROWS).status_code == 202
    assert Batch.objects.count() == 2


def test_a_process_has_few_uploads_at_once(api: APIClient) -> None:
    with ExitStack() as others:
        for number in range(UPLOADS.limit):
            others.enter_context(UPLOADS.slot(-number))
        refused = post(api, ROWS)
        problem(refused, 503)
        assert int(refused["retry-after"]) >= 1
    assert post(api, ROWS).status_code == 202


def test_an_upload_that_the_disk_cannot_take_is_for_later(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")  # as little use as a full one
    refused = post(api, [{"description": 400 * "X", "reference": str(n)} for n in range(3_000)])
    assert "no room" in problem(refused, 503)["detail"]
    assert int(refused["retry-after"]) >= 1
    assert not Batch.objects.exists()


def test_an_upload_waits_for_those_that_are_worked_on_but_not_for_ever(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer_limits, "WAIT_SECONDS", 0.05)
    with ExitStack() as others:
        for _ in range(UPLOAD_TURNS.limit):
            others.enter_context(UPLOAD_TURNS.slot(wait=0))
        problem(post(api, ROWS), 503)
        monkeypatch.setattr(transfer_limits, "WAIT_SECONDS", 60.0)
        ended = threading.Timer(0.2, others.close)
        ended.start()
        assert post(api, ROWS).status_code == 202
        ended.join()


@pytest.mark.parametrize("body", [b"", b'{"description": ""}', b"\xff"])
def test_one_that_is_refused_gives_its_place_back(api: APIClient, body: bytes) -> None:
    for _ in range(UPLOADS.limit + 1):
        problem(api.post("/v1/batches", body, content_type=NDJSON), 400)
    assert post(api, ROWS).status_code == 202


def give_quota(caller: Caller, quota: int) -> None:
    """Let a client send so many transactions a month."""
    caller.client.monthly_quota = quota
    caller.client.save()
    api_keys.drop_cached_keys(client=caller.client)


@contextmanager
def _at_a_batch_elsewhere(caller: Caller) -> Iterator[threading.Event]:
    """Take a batch of the client's on another connection, as another process does."""
    begun, died = threading.Event(), threading.Event()

    def take() -> None:
        try:
            with transaction.atomic():
                assert not advisory_locks.is_taken_for(
                    advisory_locks.Lock.TAKING_BATCHES, caller.client.pk
                )
                begun.set()
                died.wait(30)
                connection.connection.close()  # as the end of a process does
        except Exception:  # noqa: S110 - it has no connection any more
            pass
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(take)
        assert begun.wait(30)
        try:
            yield died
        finally:
            died.set()


# On SQLite one transaction writes at a time.
@pytest.mark.skipif(ON_SQLITE, reason="advisory locks are PostgreSQL's")
@pytest.mark.django_db(transaction=True)
def test_all_processes_work_on_one_upload_of_a_clients_until_theirs_dies(
    api: APIClient, stranger_api: APIClient, client_1234: Caller
) -> None:
    with _at_a_batch_elsewhere(client_1234):
        refused = post(api, ROWS, **{"Idempotency-Key": "b-1"})
        assert "Another batch of yours" in problem(refused, 429)["detail"]
        assert int(refused["retry-after"]) >= 1
        assert not NormalizationRequest.objects.exists()
        assert not IdempotencyKey.objects.exists()
        assert post(stranger_api, ROWS).status_code == 202
    assert post(api, ROWS, **{"Idempotency-Key": "b-1"}).status_code == 202


def test_one_that_takes_the_cpu_for_too_long_is_refused_whole(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MAX_CPU_SECONDS", 0.05)
    rows = [{"description": "A", "metadata": {"k": "6 7 " * 125}}] * 5_000
    assert "too long" in problem(post(api, rows), 413)["detail"]
    assert not Batch.objects.exists()
    assert not NormalizationRequest.objects.exists()
    assert post(api, ROWS).status_code == 202


def test_members_of_the_body_that_nobody_asked_for_are_not_kept(api: APIClient) -> None:
    others = ", ".join(f'"member {number}": {number}' for number in range(60_000))
    body = f'{{"transactions": [{{"description": "A"}}], {others}}}'.encode()
    tracemalloc.start()
    try:
        assert api.post("/v1/batches", body, content_type=JSON).status_code == 202
        assert tracemalloc.get_traced_memory()[1] < 4 * len(body)
    finally:
        tracemalloc.stop()


@pytest.mark.django_db(transaction=True)
def test_a_clients_posts_do_not_wait_for_its_batch_to_be_taken(
    api: APIClient, client_1234: Caller
) -> None:
    """Both are counted against its quota."""
    give_quota(client_1234, 10)
    answers = []

    def rows() -> Iterator[batches.Row]:
        for number in range(3):
            yield batches.Row(number + 1, None, {"description": "NETFLIX.COM"})
        if not ON_SQLITE:  # which lets one transaction write at a time
            with ThreadPoolExecutor(1) as pool:
                answers.append(pool.submit(_posts_alone, client_1234).result(30))

    def _posts_alone(caller: Caller) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        try:
            submission.submit(client=caller.client, fields={"description": "NETFLIX.COM"})
        finally:
            connection.close()
        return 1

    batches.accept(client=client_1234.client, rows=rows())
    assert answers == ([] if ON_SQLITE else [1])
    used = api.get("/v1/usage").json()["quota"]["used"]
    assert used == 3 + len(answers)


def test_more_than_the_quota_is_refused_as_soon_as_it_is_seen(
    api: APIClient, client_1234: Caller
) -> None:
    give_quota(client_1234, 5)
    problem(post(api, ROWS * 6), 429)
    assert not NormalizationRequest.objects.exists()
    assert post(api, ROWS * 5).status_code == 202
    problem(post(api, ROWS), 429)


@pytest.mark.django_db(transaction=True)
def test_where_one_transaction_writes_at_a_time_none_is_open_while_rows_are_read(
    client_1234: Caller,
) -> None:
    def rows() -> Iterator[batches.Row]:
        for number in range(3):
            assert connection.in_atomic_block is not ON_SQLITE
            yield batches.Row(number + 1, None, {"description": "NETFLIX.COM"})

    assert batches.accept(client=client_1234.client, rows=rows()).accepted == 3


def test_the_months_first_batch_begins_its_count_before_its_transaction(
    api: APIClient, client_1234: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's posts would wait for all of it: an Idempotency-Key has it all in one."""
    give_quota(client_1234, 10)
    depth = []
    begin = quotas._start_counting

    def noted(*args: object) -> None:
        depth.append(len(connection.savepoint_ids))
        begin(*args)

    monkeypatch.setattr(quotas, "_start_counting", noted)
    outside = len(connection.savepoint_ids)
    body = post(api, ROWS * 3, **{"Idempotency-Key": "first"})
    assert body.status_code == 202
    assert depth == [outside]
