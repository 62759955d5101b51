"""Whoever can write to the cache runs no code with it, and decides nothing."""

import base64
import json
import pickle
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.core import signing
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from merchants.catalogue import draft
from merchants.wakeups import ADMIT
from pave.clients import api_keys
from pave.core import clock
from pave.operations.models import CacheEntry
from tests.servers import ON_SQLITE
from webhooks.wakeups import SEND_MAILS

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

needs_redis = pytest.mark.skipif(ON_SQLITE, reason="there is no Redis")

ROW = {"webhook_id": str(uuid4()), "events": [], "enabled": True, "disabled_by": ""}
FOREIGN = {
    "empty": "",
    "nonsense": "nonsense",
    "number": 7,
    "list": [],
    "object": {"pk": 1},
    "unsigned": [ROW],
    "of another secret": signing.dumps([ROW], key="another's secret"),
    "of another place": signing.dumps([ROW]),
}


class RunsCode:
    """Something whose pickle runs code where it is read."""

    ran = 0

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return run, ()


def run():
    RunsCode.ran += 1


PICKLE = pickle.dumps(RunsCode())
# A key of a dict, whose hash exhausts the stack of whoever unpickles it.
NESTED_KEY = b"}" + b")" + b"\x85" * 100_000 + b"Ns."
NESTED = json.dumps(json.loads("[" * 900 + "]" * 900)).encode()
# What django-redis would not even read.
RAW = [
    *(PICKLE, NESTED_KEY, NESTED, pickle.dumps(NESTED.decode())),
    *(b"x", b"", b"\xff", b"[" * 200_000, b"9" * 6_000, b"Infinity", b"{}"),
]


def write_raw(name, raw):
    """Write to Redis, or to the cache's table, past the cache; what is written stays for ever."""
    if ON_SQLITE:
        text = base64.b64encode(raw).decode()
        CacheEntry.objects.update_or_create(
            cache_key=cache.make_key(name),
            defaults={"value": text, "expires": timezone.now() + timedelta(days=999)},
        )
    else:
        cache.client.get_client().set(cache.make_key(name), raw)


def cached_key(caller):
    """Return the cache's name for a caller's key, which has been used and is cached."""
    assert caller.api.get("/v1/usage").status_code == 200
    return f"api-key:{caller.key.partition('.')[0]}"


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_cached_key_counts_only_as_pave_wrote_it(client_1234, kind):
    cache.set(cached_key(client_1234), FOREIGN[kind], 60)
    assert client_1234.api.get("/v1/usage").status_code == 200


def test_an_altered_key_does_not_count(client_1234):
    client_1234.client.monthly_quota = 7
    client_1234.client.save()
    name = cached_key(client_1234)
    payload, *rest = cache.get(name).split(":")
    text = signing.b64_decode(payload.encode()).replace(b'monthly_quota":7', b'monthly_quota":9')
    altered = ":".join([signing.b64_encode(text).decode(), *rest])
    assert altered != cache.get(name)
    cache.set(name, altered, 60)
    assert client_1234.api.get("/v1/usage").json()["quota"]["limit"] == 7


def test_what_is_cached_of_one_client_counts_for_no_other(client_1234, stranger):
    cache.set(cached_key(stranger), cache.get(cached_key(client_1234)), 60)
    answer = stranger.api.get("/v1/usage")
    assert answer.status_code == 200
    assert answer.json()["client_id"] == stranger.client.client_id


@pytest.mark.parametrize(("seconds", "status"), [(50, 200), (61, 401)])
def test_an_ended_key_that_is_put_back_counts_for_a_minute_at_most(client_1234, seconds, status):
    name = cached_key(client_1234)
    stored = cache.get(name)
    api_keys.revoke(key=client_1234.client.api_keys.get())
    cache.set(name, stored, None)
    with time_machine.travel(time.time() + seconds):
        assert client_1234.api.get("/v1/usage").status_code == status


def test_a_key_that_an_earlier_release_cached_without_a_column_counts(client_1234):
    name = cached_key(client_1234)
    written_at, (client, key) = signing.loads(cache.get(name), salt=name)
    del client["requests_per_minute"]
    cache.set(name, signing.dumps([written_at, [client, key]], salt=name), 60)
    assert client_1234.api.get("/v1/usage").status_code == 200


@pytest.mark.parametrize("raw", RAW, ids=range(len(RAW)))
def test_what_cannot_be_read_is_as_if_it_were_not_there(client_1234, raw):
    """Nor is a pickle run."""
    month = f"usage:{client_1234.client.pk}:{timezone.now():%Y-%m}"
    for name in (cached_key(client_1234), month):
        write_raw(name, raw)
    assert client_1234.api.get("/v1/usage").json()["quota"]["used"] == 0
    assert RunsCode.ran == 0


@pytest.mark.parametrize("hours", [-3, 3])
def test_how_old_it_is_goes_by_the_time_that_all_agree_on(client_1234, monkeypatch, hours):
    """Else where a machine's clock is behind an ended key that is put back would count for long."""
    name = cached_key(client_1234)
    stored = cache.get(name)
    api_keys.revoke(key=client_1234.client.api_keys.get())
    cache.set(name, stored, None)
    then = time.time() + 3600 * hours
    monkeypatch.setattr(clock, "timestamp", lambda: then)
    assert client_1234.api.get("/v1/usage").status_code == 401


@pytest.mark.parametrize("kind", FOREIGN)
def test_use_is_counted_whatever_the_cache_says(client_1234, kind):
    cache.set(f"usage:{client_1234.client.pk}:{timezone.now():%Y-%m}", FOREIGN[kind], 60)
    assert client_1234.api.get("/v1/usage").json()["normalizations"]["total"] == 0


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_preview_is_computed_whatever_the_cache_says(kind):
    cache.set("preview", FOREIGN[kind], 60)
    assert draft.preview_of_draft(compute=True).examined == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("wakeup", [ADMIT, SEND_MAILS])
def test_a_wakeup_that_seems_sent_for_ever_is_sent(wakeup, monkeypatch):
    write_raw(f"wakeup:{wakeup.task}", b'"awake"')
    wakeup.send()
    assert OrmQ.objects.count() == 1


@needs_redis
@pytest.mark.parametrize(
    "raw", [b"inf", b"1e300", b"99999999999", b"nan", b"x", b"", b"-inf", ["a", "list"]]
)
def test_no_caller_waits_for_longer_than_an_empty_bucket_takes_to_fill(client_1234, raw):
    """Nor has it more than a full one, whatever somebody else has written there, for ever."""
    client_1234.client.requests_per_minute = 60
    client_1234.client.burst = 2
    client_1234.client.save()
    redis, name = cache.client.get_client(), f"pave:rate:{client_1234.client.pk}"
    redis.rpush(name, *raw) if isinstance(raw, list) else redis.set(name, raw)
    answers = [client_1234.api.get("/v1/usage") for _ in range(3)]
    left = redis.pttl(name)
    redis.delete(name)
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) <= 2
    assert 0 < left <= 2_000


@needs_redis
@pytest.mark.parametrize("full", [True, False], ids=["full", "read-only"])
def test_an_ended_key_leaves_a_full_redis_and_is_logged_where_that_cannot_be(
    client_1234, caplog, full
):
    name = cached_key(client_1234)
    redis = cache.client.get_client()
    if full:
        redis.config_set("maxmemory", 1)
    else:
        redis.replicaof("127.0.0.1", 1)
    try:
        api_keys.drop_cached_keys(client=client_1234.client)
    finally:
        redis.config_set("maxmemory", 0)
        redis.replicaof("NO", "ONE")
    assert (cache.get(name) is None) == full
    assert ("cache.not_invalidated" in caplog.messages) != full


@needs_redis
def test_all_that_is_in_redis_is_json(client_1234, admin_client):
    client_1234.api.post("/v1/normalizations", {"description": "NETFLIX.COM"}, format="json")
    client_1234.api.get("/readyz")
    for name in ("index", "merchants_ruleset_changelist"):
        assert admin_client.get(reverse(f"admin:{name}")).status_code == 200
    redis = cache.client.get_client()
    names = [name for name in redis.scan_iter("*") if redis.type(name) == b"string"]
    assert any(b"api-key" in name for name in names)
    for name in names:
        json.loads(redis.get(name))
