"""Without Redis, Pave does all that it does with it."""

import copy
import logging
import socket
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone
from django_q.models import OrmQ

from merchants import tasks as merchants_tasks
from merchants.requests import cancellation
from merchants.wakeups import CANCEL, REVISE, SUSPECTS
from pave.clients import api_keys
from tests.factories import DeliveryFactory
from tests.servers import ON_SQLITE
from webhooks import tasks as webhooks_tasks
from webhooks.delivery import recovery
from webhooks.models import Delivery
from webhooks.wakeups import RECOVER, SEND_MAILS

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ON_SQLITE, reason="there is no Redis"),
]


@pytest.fixture(autouse=True)
def no_redis(settings):
    """Let the cache be at a port at which nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        caches = copy.deepcopy(settings.CACHES)
        caches["default"]["LOCATION"] = f"redis://127.0.0.1:{unused.getsockname()[1]}/0"
        settings.CACHES = caches
        assert cache.get("anything") is None
        yield


@pytest.mark.parametrize("wakeup", [SEND_MAILS, CANCEL, RECOVER, REVISE, SUSPECTS])
def test_workers_are_woken(wakeup):
    wakeup.send()
    assert OrmQ.objects.count() == 1


def test_a_recovery_goes_on(webhook):
    now = timezone.now()
    failed = DeliveryFactory(
        webhook=webhook, event__client=webhook.client, status=Delivery.Status.FAILED
    )
    recovery.start(webhook=webhook, since=now - timedelta(hours=1), until=now + timedelta(hours=1))
    webhooks_tasks.recover()
    failed.refresh_from_db()
    assert failed.status == Delivery.Status.PENDING


def test_a_large_batch_is_canceled(api, monkeypatch):
    monkeypatch.setattr(cancellation, "CANCEL_BATCH", 3)
    rows = [{"description": f"SHOP{number} X"} for number in range(8)]
    url = api.post("/v1/batches", {"transactions": rows}, format="json")["location"]
    api.post(f"{url}/cancel")
    merchants_tasks.cancel_batches()
    assert api.get(url).json()["status"] == "canceled"


def test_the_log_says_so_once_in_a_while(caplog):
    [away] = logging.getLogger("pave.cache").filters
    away._quiet_until = 0.0
    for _ in range(5):
        cache.set("anything", 1)
    [record] = [one for one in caplog.records if one.message == "cache.unavailable"]
    assert record.error == "ConnectionError"
    assert record.exc_info is None


@pytest.mark.django_db
def test_what_this_process_cannot_invalidate_is_in_the_log(caplog, client_1234):
    api_keys.drop_cached_keys(client=client_1234.client)
    assert "cache.not_invalidated" in caplog.messages
