import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.utils import OperationalError
from django.utils import timezone

from pave.operations.models import CacheEntry, ClusterBeat
from pave.operations.monitoring import health
from tests.factories import ClientFactory
from tests.servers import ON_SQLITE


@pytest.fixture(autouse=True)
def development(settings, monkeypatch):
    settings.DEBUG = True
    monkeypatch.setattr(health, "WRITE_EVERY", 0)


def beat(queue, seen_at):
    ClusterBeat.objects.create(host="h", queue=queue, pid=1, started_at=seen_at, seen_at=seen_at)


def test_livez_asks_nothing_of_the_database(client):
    assert client.get("/livez").json() == {"status": "ok"}


@pytest.mark.django_db
def test_readyz_names_each_part(client):
    beat("quick", timezone.now())
    beat("heuristic", timezone.now())
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {
        "status": "ok",
        "checks": {"database": "ok", "migrations": "ok", "cache": "ok", "cluster": "ok"},
    }


@pytest.mark.django_db
def test_a_cluster_that_was_not_seen_lately_is_named_and_requests_are_still_taken(client):
    beat("quick", timezone.now())
    beat("heuristic", timezone.now() - timedelta(minutes=1))
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert response.json()["checks"]["cluster"] == "failed"


def test_without_a_database_it_is_503(client, monkeypatch):
    def gone():
        raise OperationalError("gone")

    monkeypatch.setattr(connection, "cursor", gone)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["database"] == "failed"


@pytest.fixture
def fail_over():
    """Make the open session one that only reads, as of a primary that is one no more."""

    def fail_over():
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = on")

    yield fail_over
    connection.close()


@pytest.mark.skipif(ON_SQLITE, reason="SQLite has no sessions")
@pytest.mark.django_db(transaction=True)
def test_after_a_fail_over_each_old_session_is_used_at_most_once(api, client, fail_over):
    posted = {"description": "NETFLIX.COM"}
    fail_over()
    response = api.post("/v1/normalizations", posted, format="json")
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert api.post("/v1/normalizations", posted, format="json").status_code == 202
    fail_over()
    assert client.get("/readyz").status_code == 200
    assert api.post("/v1/normalizations", posted, format="json").status_code == 202


@pytest.mark.django_db(transaction=True)
def test_a_database_that_takes_no_row_is_503(client):
    """As one without room on its disk: its sessions read, and say that they may write."""

    def full(execute, sql, *arguments):
        if sql.startswith("INSERT"):
            raise OperationalError("could not extend file: No space left on device")
        return execute(sql, *arguments)

    connection.execute_wrappers.append(full)  # not as a block: a new session adds another
    try:
        response = client.get("/readyz")
    finally:
        connection.execute_wrappers.remove(full)
    assert response.status_code == 503
    assert response.json()["checks"]["database"] == "failed"
    client.get("/readyz")
    assert not CacheEntry.objects.filter(cache_key__startswith="readyz").exists()


@pytest.mark.skipif(ON_SQLITE, reason="SQLite has no stand-by")
@pytest.mark.django_db(transaction=True)
def test_commits_that_wait_for_a_stand_by_that_is_away_are_503(client, monkeypatch):
    """What is asked for by posts would get no answer, and what only reads would."""
    monkeypatch.setattr(health, "COMMIT_SECONDS", 0)

    def commit():
        ClientFactory()
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        synchronous_with("nobody")
        try:
            committed = pool.submit(commit)
            end = time.monotonic() + 20
            while client.get("/readyz").status_code != 503:
                assert time.monotonic() < end
        finally:
            synchronous_with("")
        committed.result(20)
    assert client.get("/readyz").status_code == 200


def synchronous_with(stand_by):
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{stand_by}'")
        cursor.execute("SELECT pg_reload_conf()")


@pytest.mark.skipif(ON_SQLITE, reason="SQLite has no sessions")
@pytest.mark.django_db(transaction=True)
def test_readyz_does_not_wait_for_who_has_locked_its_table(client):
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE pave_cache IN ACCESS EXCLUSIVE MODE")
        assert pool.submit(ask, client).result(30) == 200


def ask(client):
    try:
        return client.get("/readyz").status_code
    finally:
        connection.close()


@pytest.mark.skipif(ON_SQLITE, reason="SQLite has no sessions")
@pytest.mark.django_db(transaction=True)
def test_a_database_that_only_reads_is_503(client, fail_over, monkeypatch):
    monkeypatch.setattr(connection, "close", lambda: None)
    fail_over()
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["database"] == "failed"
    monkeypatch.undo()
