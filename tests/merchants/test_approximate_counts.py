"""Publishing needs no count of a table that may be too large to be counted."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from merchants.catalogue import rulesets
from merchants.models import Merchant, NormalizationRequest, Revision
from pave.core.database import approximate_counts
from pave.core.database.approximate_counts import approximate_count
from tests.factories import NormalizationRequestFactory, RulesetFactory

pytestmark = [pytest.mark.django_db, pytest.mark.storage]


@pytest.fixture
def fifty() -> None:
    """Fifty requests that are answered."""
    NormalizationRequestFactory.create_batch(50, status="completed")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def test_few_rows_are_counted_and_more_are_estimated(
    fifty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = NormalizationRequest.objects.filter(status="completed")
    assert approximate_count(rows) == 50
    monkeypatch.setattr(approximate_counts, "EXACT", 10)
    assert 40 <= approximate_count(rows) <= 60
    assert approximate_count(rows.filter(status="failed")) <= 1
    assert approximate_count(rows.none()) == 0


def test_publishing_counts_no_large_table(fifty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approximate_counts, "EXACT", 10)
    RulesetFactory()
    Merchant.objects.create(name="Netflix")
    with CaptureQueriesContext(connection) as queries:
        rulesets.publish(note="", by="ann")
    assert 40 <= Revision.objects.get().total <= 60
    if connection.vendor == "postgresql":
        counts = [each["sql"] for each in queries if each["sql"].startswith("SELECT COUNT(")]
        assert all("LIMIT 11)" in sql for sql in counts if "normalizationrequest" in sql)
