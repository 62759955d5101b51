"""Canceling a delivery by hand."""

import pytest

from tests.factories import DeliveryFactory
from webhooks.delivery import canceling, manual
from webhooks.models import Delivery


@pytest.mark.storage
@pytest.mark.parametrize("status", ["pending", "held"])
def test_what_waits_or_is_held_is_canceled(db: None, status: str) -> None:
    delivery = DeliveryFactory(status=status, held_by="staff" if status == "held" else "")
    canceling.cancel(delivery_id=delivery.pk)
    delivery.refresh_from_db()
    assert delivery.status == Delivery.Status.CANCELED
    assert delivery.next_attempt_at is None
    assert delivery.finished_at is not None
    assert delivery.held_by == ""


@pytest.mark.parametrize("status", ["delivering", "succeeded", "failed", "canceled"])
def test_what_is_in_flight_or_final_is_not(db: None, status: str) -> None:
    delivery = DeliveryFactory(status=status)
    with pytest.raises(manual.InvalidState, match=status):
        canceling.cancel(delivery_id=delivery.pk)
    delivery.refresh_from_db()
    assert delivery.status == status
