"""Many rows, each with its own values."""

from datetime import UTC, datetime

import pytest
from django.db import DataError, connection, transaction

from merchants.catalogue.rulesets import current
from merchants.models import Resolution
from pave.core.database import bulk_update
from pave.core.database.bulk_update import update_each

pytestmark = [pytest.mark.django_db, pytest.mark.storage]
MOMENT = datetime(2026, 11, 25, 8, 30, 0, 123456, tzinfo=UTC)


@pytest.fixture
def rows():
    ruleset = current()
    return [Resolution.objects.create(key=f"k{number}", ruleset=ruleset) for number in range(5)]


def test_every_kind_of_value_arrives_as_the_orm_would_have_written_it(rows):
    values = [
        {"answer": {"a": ["ü", None, 1.5]}, "confidence": 0.25, "finished_at": MOMENT},
        {"answer": None, "confidence": None, "finished_at": None},
        {"claimed_by": "w", "attempts": 3, "error": "it's 100 % wrong", "evidence": ["x"]},
    ]
    for row, changed in zip(rows, values, strict=False):
        for name, value in changed.items():
            setattr(row, name, value)
    fields = ["answer", "confidence", "finished_at", "claimed_by", "attempts", "error", "evidence"]
    expected = [[getattr(row, name) for name in fields] for row in rows]

    update_each(rows, fields)

    for row in rows:
        row.refresh_from_db()
    assert [[getattr(row, name) for name in fields] for row in rows] == expected


def test_a_column_of_nothing_but_nulls_is_written(rows):
    Resolution.objects.update(finished_at=MOMENT, confidence=0.5, answer={})
    update_each(rows, ["finished_at", "confidence", "merchant", "rule", "answer"])
    nulls = Resolution.objects.filter(finished_at=None, confidence=None, answer__isnull=True)
    assert nulls.count() == 5


def test_very_many_rows_take_more_than_one_statement(rows, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(bulk_update, "_MAX_VALUES", 4)
    for number, row in enumerate(rows):
        row.error = str(number)
    with django_assert_num_queries(3):
        update_each(rows, ["error"])
    found = Resolution.objects.order_by("key").values_list("error", flat=True)
    assert list(found) == ["0", "1", "2", "3", "4"]


def test_no_rows_cost_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        update_each([], ["error"])


def test_a_text_that_is_too_long_is_refused_and_not_cut(rows):
    if connection.vendor == "sqlite":
        return
    rows[0].method = "x" * 17
    with pytest.raises(DataError), transaction.atomic():
        update_each(rows, ["method"])
