"""What lists are read by on PostgreSQL, however many rows there are."""

import pytest
from django.db import connection

from merchants.models import NormalizationRequest
from pave.identifiers import new_id

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({}, "request_of_client"),
        ({"status": "failed"}, "request_rare_status"),
        ({"status": "canceled"}, "request_rare_status"),
        ({"status": "queued"}, "request_queued"),
        ({"reference": "t-1"}, "request_reference"),
        ({"batch": new_id()}, "request_of_batch"),
    ],
)
def test_a_list_is_read_by_an_index(client_1234, filters, index):
    found = NormalizationRequest.objects.for_client(client_1234.client).filter(**filters)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
    plan = found.explain()
    assert any(name in plan for name in (index, "request_of_client")), plan
    if index in ("request_of_client", "request_rare_status"):
        assert index in plan, plan
