from datetime import timedelta

import pytest
from django.db import connection
from django.db.utils import OperationalError
from django.utils import timezone

from pave.operations.models import ClusterBeat


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
