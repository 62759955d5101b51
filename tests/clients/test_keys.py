import copy
import time
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from pave.clients import api_keys
from pave.clients.models import ApiKey

pytestmark = [pytest.mark.django_db, pytest.mark.storage]


@pytest.fixture
def issued(client_1234):
    return api_keys.issue(client=client_1234.client)


def test_a_key_opens_its_client(issued, client_1234):
    _, secret = issued
    assert api_keys.authenticate(secret).client == client_1234.client


def test_only_a_hash_of_the_key_is_kept(issued):
    key, secret = issued
    row = ApiKey.objects.values().get(pk=key.pk)
    assert secret.partition(".")[2] not in str(row)


@pytest.mark.parametrize("wrong", ["", "x", "no-dot", "abcdefgh.wrong", "ü.x", "a b.c", "." * 9])
def test_what_is_no_key_opens_nothing(wrong):
    assert api_keys.authenticate(wrong) is None


def test_the_right_prefix_with_a_wrong_secret_opens_nothing(issued):
    _, secret = issued
    assert api_keys.authenticate(secret[:-1] + ("a" if secret[-1] != "a" else "b")) is None


def test_a_used_key_is_looked_up_in_the_cache(issued, django_assert_num_queries, settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    _, secret = issued
    api_keys.authenticate(secret)
    api_keys._by_prefix._in_process.clear()
    with django_assert_num_queries(0):
        assert api_keys.authenticate(secret)


def test_an_unknown_key_costs_one_query(client_1234, django_assert_num_queries, settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    with django_assert_num_queries(1):
        assert api_keys.authenticate("abcdefgh.x") is None


def test_a_revoked_key_stops_working_at_once(issued):
    key, secret = issued
    assert api_keys.authenticate(secret)
    api_keys.revoke(key=key)
    assert api_keys.authenticate(secret) is None


def test_a_key_that_another_process_revokes_is_not_used_for_more_than_a_second(
    issued, monkeypatch, django_assert_num_queries
):
    key, secret = issued
    another = copy.copy(api_keys._by_prefix)
    another._in_process = {}
    assert api_keys.authenticate(secret)
    with monkeypatch.context() as patch:
        patch.setattr(api_keys, "_by_prefix", another)
        api_keys.revoke(key=key)
        assert api_keys.authenticate(secret) is None
    with django_assert_num_queries(0):
        assert api_keys.authenticate(secret)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 1)
    assert api_keys.authenticate(secret) is None


def test_a_revocation_can_be_repeated_from_the_log_after_a_restore(issued, caplog):
    key, _ = issued
    with caplog.at_level("INFO"):
        api_keys.revoke(key=key)
    [line] = [record for record in caplog.records if record.message == "api_key.revoked"]
    assert (line.client, line.prefix) == ("1234", key.prefix)


def test_a_reader_that_was_slow_cannot_bring_a_revoked_key_back(issued, monkeypatch):
    key, secret = issued
    load = api_keys._by_prefix._load

    def load_and_lose_the_race(prefix):
        row = load(prefix)
        api_keys.revoke(key=key)
        return row

    monkeypatch.setattr(api_keys._by_prefix, "_load", load_and_lose_the_race)
    api_keys.authenticate(secret)
    monkeypatch.setattr(api_keys._by_prefix, "_load", load)
    assert api_keys.authenticate(secret) is None


def test_an_expired_key_opens_nothing(issued):
    key, secret = issued
    ApiKey.objects.filter(pk=key.pk).update(expiry_date=timezone.now() + timedelta(hours=1))
    api_keys.drop_cached(prefix=key.prefix)
    assert api_keys.authenticate(secret)
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        assert api_keys.authenticate(secret) is None


def test_the_keys_of_an_inactive_client_open_nothing(issued, client_1234):
    _, secret = issued
    assert api_keys.authenticate(secret)
    client_1234.client.active = False
    client_1234.client.save()
    api_keys.drop_cached_keys(client=client_1234.client)
    assert api_keys.authenticate(secret) is None


def test_rotating_gives_a_new_key_and_ends_the_old_one(issued):
    key, secret = issued
    replacement, new_secret = api_keys.rotate(key=key)
    assert api_keys.authenticate(new_secret).pk == replacement.pk
    assert api_keys.authenticate(secret) is None
    assert replacement.name == key.name


def test_of_two_who_rotate_a_key_one_is_refused_and_leaves_no_key(issued):
    """Else a key would live that nobody has seen, as after a double click."""
    key, _ = issued
    live = key.client.api_keys.filter(revoked=False)
    before = live.count()
    api_keys.rotate(key=key)
    for act in (api_keys.rotate, api_keys.revoke):
        with pytest.raises(api_keys.Revoked):
            act(key=key)
    assert live.count() == before


def test_the_last_use_is_written_at_most_once_a_minute(issued, django_assert_num_queries):
    key, _ = issued
    with django_assert_num_queries(1):
        api_keys.record_use(key=key)
        api_keys.record_use(key=key)
    key.refresh_from_db()
    assert timezone.now() - key.last_used_at < timedelta(seconds=30)
