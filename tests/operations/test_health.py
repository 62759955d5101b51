from datetime import timedelta

import pytest
from django.db import connection
from django.db.utils import OperationalError
from django.utils import timezone

from pave.operations.models import CacheEntry, ClusterBeat
from tests.servers import ON_SQLITE


@pytest.fixture(autouse=True)
def development(settings):
    settings.DEBUG = True


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


@pytest.mark.skipif(ON_SQLITE, reason="SQLite has no sessions")
@pytest.mark.django_db(transaction=True)
def test_a_database_that_only_reads_is_503(client, fail_over, monkeypatch):
    monkeypatch.setattr(connection, "close", lambda: None)
    fail_over()
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["database"] == "failed"
    monkeypatch.undo()
