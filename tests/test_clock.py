"""The clock that all processes share."""

import os
import time
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122

import pytest
import time_machine
from django.db import connection
from django.db.backends.signals import connection_created
from django.urls import reverse
from django.utils import timezone

from merchants.models import AdmissionClaim, HeuristicUse, Revision
from merchants.requests import admission, fair_share, revision
from merchants.requests.resolutions import attempts
from pave.clients import rate_limit
from pave.clients.models import RateBucket
from pave.core import clock, ids
from pave.core.caching.database_cache import DatabaseCache
from pave.operations.cluster import sentinel
from pave.operations.cluster.brokers.postgres import ListeningBroker
from pave.operations.cluster.process_control import session_of
from pave.operations.cluster.scheduler import _is_running
from pave.operations.models import CacheEntry, ClusterBeat
from tests.factories import DeliveryFactory, MerchantFactory, ResolutionFactory, RulesetFactory
from tests.servers import ON_SQLITE
from webhooks.delivery import housekeeping

pytestmark = [pytest.mark.django_db, pytest.mark.storage]
of_postgresql = pytest.mark.skipif(ON_SQLITE, reason="There it is the machine's in any case.")
HOURS = timedelta(hours=3)


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch):
    """Leave the clock of the other tests as it is."""
    monkeypatch.setattr(clock, "_following", False)
    monkeypatch.setattr(clock, "_reading", None)
    monkeypatch.setattr(clock, "_asked_at", float("-inf"))
    monkeypatch.setattr(clock, "_step", (0.0, float("-inf")))
    monkeypatch.setattr(timezone, "now", timezone.now)
    yield
    connection_created.disconnect(clock._connected)


def present():
    """The present, which time_machine does not change here: it is called outside its blocks."""
    return datetime.now(UTC)


def is_close(moment, other):
    return abs(moment - other) < timedelta(seconds=5)


def test_without_following_it_is_the_machines():
    clock.synchronize()
    now = present()
    with time_machine.travel(now + HOURS):
        assert is_close(clock.now(), now + HOURS)


@of_postgresql
def test_it_is_the_databases_whatever_the_machines_is_set_to():
    now = present()
    clock.follow_database()
    with time_machine.travel(now + HOURS):
        clock.synchronize()
        assert is_close(clock.now(), now)
        assert is_close(MerchantFactory().updated_at, now)  # fields ask Django for the time
    with time_machine.travel(now - HOURS):
        assert is_close(clock.now(), now)


@of_postgresql
def test_a_new_connection_may_be_to_a_server_with_another_clock(monkeypatch):
    clock.follow_database()
    monkeypatch.setattr(clock, "_reading", (0.0, clock._since_boot()))
    other = connection.copy()
    other.connect()
    other.close()
    assert is_close(clock.now(), present())


@of_postgresql
def test_it_is_read_again_after_a_while(monkeypatch, django_assert_num_queries):
    clock.follow_database()
    clock.synchronize()
    with django_assert_num_queries(0):
        clock.synchronize()
    monkeypatch.setattr(clock, "READ_EVERY", 0.0)
    with django_assert_num_queries(1):
        clock.synchronize()


@of_postgresql
def test_a_database_that_is_away_changes_nothing(monkeypatch):
    clock.follow_database()
    away = connection.copy()
    away.settings_dict["PORT"] = "1"
    monkeypatch.setattr(clock, "connections", {"default": away})
    clock.synchronize()
    assert is_close(clock.now(), present())


@of_postgresql
def test_a_first_reading_that_is_slow_is_better_than_none(monkeypatch):
    monkeypatch.setattr(clock, "MAX_ROUND_TRIP", 0.0)
    now = present()
    clock.follow_database()
    with time_machine.travel(now + HOURS):
        clock.synchronize()
        assert is_close(clock.now(), now)


@of_postgresql
@pytest.mark.parametrize("set_by", [HOURS, timedelta(seconds=3)])
def test_while_others_may_not_know_that_it_was_set_forward_leases_last_longer(monkeypatch, set_by):
    clock.follow_database()
    now = present()
    monkeypatch.setattr(clock, "_reading", ((now - set_by).timestamp(), clock._since_boot()))
    assert is_close(clock.leases_ended_by(90), now - set_by)
    assert is_close(clock.now(), now)
    monkeypatch.setattr(clock, "_step", (clock._step[0], clock._step[1] - 149))
    assert is_close(clock.leases_ended_by(90), now - set_by)
    monkeypatch.setattr(clock, "_step", (clock._step[0], clock._step[1] - 2))
    assert abs(clock.leases_ended_by(90) - now) < timedelta(seconds=1)


@of_postgresql
def test_what_others_wrote_by_the_time_before_it_was_set_forward_is_left_to_them(monkeypatch):
    """Each sweep would take it for that of a dead worker."""
    clock.follow_database()
    before = present() - timedelta(minutes=5)
    monkeypatch.setattr(clock, "_reading", (before.timestamp(), clock._since_boot()))
    delivery = DeliveryFactory(
        status="delivering", claimed_by="w", lease_expires_at=before + timedelta(seconds=60)
    )
    resolution = ResolutionFactory(
        status="running", claimed_by="w", lease_expires_at=before + timedelta(seconds=60)
    )
    revised = Revision.objects.create(
        ruleset=RulesetFactory(),
        since=before,
        claimed_by="w",
        lease_expires_at=before + timedelta(seconds=60),
    )
    claim = AdmissionClaim.objects.create(created_at=before, worker="w", requests=[])
    clock.synchronize(at_once=True)
    housekeeping.sweep()
    attempts.sweep()
    revision.revise()
    admission.sweep()
    for row in (delivery, resolution, revised):
        row.refresh_from_db()
        assert row.claimed_by == "w"
    assert AdmissionClaim.objects.get() == claim
    begun = min(process.create_time() for process in session_of(os.getsid(0)))
    seen_at = datetime.fromtimestamp(begun, UTC) - timedelta(minutes=4)
    assert _is_running(ClusterBeat(pid=os.getsid(0), seen_at=seen_at))


@of_postgresql
def test_steps_add_up_while_others_may_know_of_none(monkeypatch):
    clock.follow_database()
    for ahead in (HOURS, timedelta(seconds=2)):
        if clock._step[0]:
            clock._step = clock._step[0], clock._step[1] - 61
        monkeypatch.setattr(
            clock, "_reading", ((present() - ahead).timestamp(), clock._since_boot())
        )
        clock.synchronize(at_once=True)
    assert is_close(clock.leases_ended_by(90), present() - HOURS - timedelta(seconds=2))


def test_an_entry_of_the_cache_expires_by_the_clock_that_reads_it(monkeypatch):
    ahead = present() + HOURS
    monkeypatch.setattr(clock, "_reading", (ahead.timestamp(), clock._since_boot()))
    DatabaseCache("pave_cache", {}).set("k", "v", 60)
    assert is_close(CacheEntry.objects.get().expires, ahead + timedelta(seconds=60))


@of_postgresql
def test_leases_are_judged_by_a_clock_that_was_just_read(monkeypatch):
    """Who judged by what it read before the clock was set back would end them at once."""
    clock.follow_database()
    clock.synchronize()
    monkeypatch.setattr(clock, "_reading", ((present() + HOURS).timestamp(), clock._since_boot()))
    assert is_close(clock.leases_ended_by(90), present())


@of_postgresql
def test_a_slow_reading_is_used_only_if_the_last_one_is_wrong(monkeypatch):
    clock.follow_database()
    monkeypatch.setattr(clock, "MAX_ROUND_TRIP", -1.0)
    for seconds, used in [(-10.0, True), (0.0, False)]:
        known = (present().timestamp() + seconds, clock._since_boot())
        monkeypatch.setattr(clock, "_reading", known)
        clock.synchronize(at_once=True)
        assert (clock._reading != known) is used


@of_postgresql
def test_a_connection_that_took_long_does_not_count(monkeypatch):
    """What was read when it was there counts."""
    clock.follow_database()
    slow = connection.copy()
    connect = slow.connect

    def connect_slowly():
        time.sleep(0.4)
        connect()

    monkeypatch.setattr(slow, "connect", connect_slowly)
    monkeypatch.setattr(clock, "connections", {"default": slow})
    clock.synchronize()
    slow.close()
    assert abs(clock.now() - present()) < timedelta(seconds=0.15)


@pytest.mark.django_db(transaction=True)
def test_whoever_uses_the_database_often_reads_it_now_and_then(monkeypatch, client, api, superuser):
    clock.follow_database()
    read = []
    monkeypatch.setattr(clock, "_read", read.append)

    def does_read(action):
        clock._asked_at = float("-inf")
        read.clear()
        action()
        return bool(read)

    assert does_read(lambda: api.get("/v1/usage"))
    assert does_read(lambda: client.get("/readyz"))
    assert does_read(lambda: superuser.get(reverse("admin:index")))
    assert does_read(sentinel._before_task)
    assert does_read(ListeningBroker("quick").dequeue)
    assert not does_read(lambda: client.get("/livez"))


def test_what_is_written_by_hand_is_of_its_time_too(monkeypatch, client_1234, settings):
    settings.REDIS_URL = ""
    client = client_1234.client
    client.requests_per_minute = 60
    ahead = present() + HOURS
    monkeypatch.setattr(clock, "_reading", (ahead.timestamp(), clock._since_boot()))
    rate_limit.take(client=client)
    fair_share.charge(client.pk, 1.0)
    for seconds in (RateBucket.objects.get().full_at, HeuristicUse.objects.get().as_of):
        assert abs(seconds - ahead.timestamp()) < 5


@pytest.mark.parametrize("set_by", [-3 * HOURS, -timedelta(milliseconds=20), 3 * HOURS])
def test_ids_have_its_time_and_are_in_order(monkeypatch, set_by):
    for then in (present(), present() + set_by):
        monkeypatch.setattr(clock, "_reading", (then.timestamp(), clock._since_boot()))
        made = [ids.new_id() for _ in range(5_000)]
        assert made == sorted(made)
        assert len(set(made)) == len(made)
        assert {(one.version, one.variant) for one in made} == {(7, RFC_4122)}
        assert ids.first_id_at(then - timedelta(seconds=5)) < made[0]
        assert made[-1] < ids.first_id_at(then + timedelta(seconds=5))
