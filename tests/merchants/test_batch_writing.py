"""COPY writes the rows that the model would."""

from datetime import date

import psycopg2
import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from merchants.models import Batch, NormalizationRequest
from merchants.requests import batch_writing, batches
from tests.factories import ClientFactory

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

FULL = {
    "description": "tab\t, line\nfeed, return\r, \\N, \\t, \\\\, é ☕ 株 \u202e \x01 \x7f '\"",
    "amount": "-12.50",
    "currency": "USD",
    "date": date(1, 1, 1),
    "mcc": "5814",
    "country": "US",
    "city": "\\",
    "reference": "\\.",
}


@pytest.mark.parametrize("fields", [FULL, {"description": "A"}, {"description": "\\N"}])
def test_a_row_is_the_one_that_the_model_gives(fields):
    now = timezone.now()
    client = ClientFactory()
    batch = Batch.objects.create(client=client, created_at=now)
    batch_writing.write([(1, fields)], batch=batch, now=now)
    row = NormalizationRequest.objects.values().get()
    expected = NormalizationRequest(client=client, batch=batch, row=1, created_at=now, **fields)
    assert row == {
        field.attname: getattr(expected, field.attname)
        for field in NormalizationRequest._meta.concrete_fields
    } | {"id": row["id"]}


def test_ids_are_in_the_order_of_the_rows():
    now = timezone.now()
    batch = Batch.objects.create(client=ClientFactory(), created_at=now)
    rows = [(number, {"description": str(number)}) for number in range(1, 3001)]
    batch_writing.write(rows, batch=batch, now=now)
    ordered = NormalizationRequest.objects.order_by("id").values_list("row", flat=True)
    assert list(ordered) == list(range(1, 3001))


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_is_lost_is_an_error_of_djangos():
    if connection.vendor != "postgresql":
        return  # which has no COPY
    now = timezone.now()
    batch = Batch.objects.create(client=ClientFactory(), created_at=now)
    pid = connection.connection.info.backend_pid
    with psycopg2.connect(connection.connection.dsn) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    other.close()
    with pytest.raises(DatabaseError):
        batch_writing.write([(1, FULL)], batch=batch, now=now)
    connection.close()


def test_rows_with_much_text_are_written_a_few_at_a_time(api, monkeypatch):
    """What a process holds of a batch is bounded by its texts, too."""
    chunks = []
    write = batch_writing.write
    monkeypatch.setattr(
        batch_writing, "write", lambda rows, **of: (chunks.append(len(rows)), write(rows, **of))
    )
    monkeypatch.setattr(batches, "_WRITE_CHARACTERS", 2_500)
    pairs = {f"k{number}": "\x01" * 500 for number in range(2)}
    rows = [{"description": "A", "metadata": pairs}] * 7 + [{"description": "A"}] * 20
    assert api.post("/v1/batches", {"transactions": rows}, format="json").status_code == 202
    assert chunks == [3, 3, 21]
    assert NormalizationRequest.objects.count() == 27
