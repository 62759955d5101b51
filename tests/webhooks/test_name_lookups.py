"""A host name whose servers are silent keeps its own client waiting, and nobody else."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.api.problems import problem
from tests.fixtures import Caller
from tests.servers import ON_SQLITE
from tests.webhooks.posting import LOOPBACK
from webhooks.endpoints import name_lookups
from webhooks.http.address_policy import AddressPolicy, Unresolved
from webhooks.models import Webhook

pytestmark = pytest.mark.storage

SILENT = "http://silent.test:9000/hook"
GOOD = "http://good.test:9000/hook"
# Long enough for whatever is no wait; those who are kept waiting wait longer.
PROMPT_SECONDS = 10


class Resolver:
    """Knows every name but those under silent.test, over which it hangs until it gives up."""

    def __init__(self) -> None:
        self.hangs = threading.Semaphore(0)
        self.gives_up = threading.Event()
        self.asked: list[str] = []

    def look_up(self, host: str, port: int, **kwargs: Any) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        if host.endswith("silent.test"):
            self.hangs.release()
            self.gives_up.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    def wait_until_it_hangs(self) -> None:
        assert self.hangs.acquire(timeout=PROMPT_SECONDS)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch, loopback_allowed: None) -> Iterator[Resolver]:
    resolver = Resolver()
    policy = AddressPolicy(LOOPBACK, True, resolver.look_up)
    monkeypatch.setattr("webhooks.endpoints.services.address_policy", lambda: policy)
    yield resolver
    resolver.gives_up.set()
    _wait_for_threads()


def _wait_for_threads() -> None:
    for thread in threading.enumerate():
        if thread.name == "look-up":
            thread.join(PROMPT_SECONDS)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers wait until the test says otherwise."""
    monkeypatch.setattr(name_lookups, "SECONDS", 60.0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_lookups, "SECONDS", 0.1)


@pytest.fixture
def beside(resolver: Resolver) -> Iterator[Callable[..., Future[Any]]]:
    """Call something in a thread of its own, as another thread of the web server would."""
    with ThreadPoolExecutor(8) as pool:

        def call(do: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
            def run() -> Any:
                try:
                    return do(*args, **kwargs)
                finally:
                    connection.close()

            return pool.submit(run)

        yield call
        resolver.gives_up.set()


def create(api: APIClient, url: str, **extra: Any) -> Any:
    return api.post("/v1/webhooks", {"url": url}, format="json", **extra)


def check(caller: str, url: str) -> None:
    name_lookups.policy_for(caller).check_resolves(url)


def change(api: APIClient, url: str) -> Any:
    webhook = Webhook.objects.earliest("id")
    return api.patch(f"/v1/webhooks/{webhook.pk}", {"url": url}, format="json")


def create_or_change(api: APIClient, url: str) -> Any:
    return api.post("/create_webhook", {"url": url}, format="json")


@pytest.mark.parametrize("send", [create, change, create_or_change])
def test_a_name_that_is_not_resolved_in_time_is_refused_and_says_so(
    webhook: Webhook, api: APIClient, resolver: Resolver, impatient: None, send: Any
) -> None:
    body = problem(send(api, SILENT), 400, "/url")
    assert "silent.test could not be resolved in 0.1 seconds" in body["detail"]
    assert Webhook.objects.get().url == webhook.url


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("send", [create, change, create_or_change])
def test_one_look_up_of_a_clients_at_a_time_and_others_go_on(
    webhook: Webhook,
    client_1234: Caller,
    stranger: Caller,
    resolver: Resolver,
    patient: None,
    beside: Any,
    send: Any,
) -> None:
    first = beside(send, client_1234.api, SILENT)
    resolver.wait_until_it_hangs()

    for url in (SILENT, GOOD):
        second = beside(send, client_1234.api, url).result(PROMPT_SECONDS)
        problem(second, 429)
        assert second["Retry-After"] == "60"
    assert resolver.asked == ["silent.test"]
    # Neither do others wait, nor what needs no look-up.
    assert beside(create, stranger.api, GOOD).result(PROMPT_SECONDS).status_code == 201
    url = "http://127.0.0.1:9000/hook"
    assert beside(create, client_1234.api, url).result(PROMPT_SECONDS).status_code == 201

    resolver.gives_up.set()
    problem(first.result(PROMPT_SECONDS), 400, "/url")
    assert send(client_1234.api, GOOD).status_code in (200, 201)


def test_what_is_wrong_otherwise_is_said_without_a_look_up(
    api: APIClient, resolver: Resolver
) -> None:
    for body in ({"url": SILENT, "events": 5}, {"url": "ftp://silent.test/"}):
        problem(api.post("/v1/webhooks", body, format="json"), 400)
    assert not resolver.asked


def test_a_caller_that_waits_no_more_has_no_other_look_up_until_the_resolver_gives_up(
    db: None, resolver: Resolver, impatient: None
) -> None:
    with pytest.raises(Unresolved):
        check("client-1", SILENT)
    cache.clear()  # this process knows it all the same
    with pytest.raises(name_lookups.Busy):
        check("client-1", GOOD)
    resolver.gives_up.set()
    _wait_for_threads()
    cache.clear()
    check("client-1", GOOD)


def test_a_look_up_in_another_process_counts(db: None, resolver: Resolver, impatient: None) -> None:
    with pytest.raises(Unresolved):
        check("client-1", SILENT)
    resolver.gives_up.set()
    _wait_for_threads()  # this process has none, and the cache knows of one for a while
    with pytest.raises(name_lookups.Busy):
        check("client-1", GOOD)
    check("client-2", GOOD)


def test_what_is_answered_is_followed_by_the_next_at_once(db: None, resolver: Resolver) -> None:
    resolver.gives_up.set()
    for _ in range(3):
        check("client-1", GOOD)
        with pytest.raises(Unresolved, match=r"has no public address\.$"):
            check("client-1", SILENT)


@pytest.mark.django_db(transaction=True)
def test_few_wait_at_once_and_silent_names_leave_room_for_good_ones(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch, beside: Any
) -> None:
    monkeypatch.setattr(name_lookups, "SECONDS", 1.0)
    silent = [
        beside(check, f"client-{number}", SILENT) for number in range(name_lookups.MAX_WAITING)
    ]
    for _ in silent:
        resolver.wait_until_it_hangs()
    begun = time.monotonic()
    with pytest.raises(name_lookups.Full):
        check("client-good", GOOD)
    assert time.monotonic() - begun < 0.9  # it was told so, and did not wait
    for future in silent:
        with pytest.raises(Unresolved):
            future.result(PROMPT_SECONDS)
    assert not resolver.gives_up.is_set()  # their look-ups go on
    check("client-good", GOOD)


def test_look_ups_that_were_left_are_bounded_too(
    db: None, resolver: Resolver, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_lookups, "MAX_LOOKUPS", 3)
    for number in range(3):
        with pytest.raises(Unresolved):
            check(f"client-{number}", SILENT)
    with pytest.raises(name_lookups.Full):
        check("client-good", GOOD)


def test_when_others_take_all_the_room_it_is_503(
    api: APIClient, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_lookups, "MAX_WAITING", 0)
    refused = create(api, GOOD)
    problem(refused, 503)
    assert refused["Retry-After"] == "2"


def test_without_the_cache_it_still_works(
    db: None, resolver: Resolver, impatient: None, settings: Settings
) -> None:
    settings.CACHES = {
        "default": {
            **settings.CACHES["default"],
            "BACKEND": "pave.core.caching.redis_cache.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
            "OPTIONS": {"IGNORE_EXCEPTIONS": True},
        }
    }
    check("client-1", GOOD)
    check("client-1", GOOD)
    with pytest.raises(Unresolved):
        check("client-1", SILENT)
    with pytest.raises(name_lookups.Busy):
        check("client-1", GOOD)


@pytest.mark.skipif(ON_SQLITE, reason="asks PostgreSQL for its transactions")
@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_meanwhile(
    client_1234: Caller, resolver: Resolver, patient: None, beside: Any
) -> None:
    first = beside(create, client_1234.api, SILENT, HTTP_IDEMPOTENCY_KEY="k-1")
    resolver.wait_until_it_hangs()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
        )
        assert cursor.fetchone() == (0,)
    resolver.gives_up.set()
    problem(first.result(PROMPT_SECONDS), 400, "/url")
    # What was refused is not kept; put right, it is done once.
    answers = [create(client_1234.api, GOOD, HTTP_IDEMPOTENCY_KEY="k-1") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert Webhook.objects.count() == 1


def test_staff_wait_no_longer(
    client_1234: Caller, superuser: Browser, resolver: Resolver, impatient: None
) -> None:
    form = {"client": client_1234.client.pk, "url": SILENT, "max_in_flight": 16}
    add = reverse("admin:webhooks_webhook_add")
    for sentence in ("could not be resolved in 0.1 seconds", "Another host name of yours"):
        assert sentence in superuser.post(add, form).text
    assert not Webhook.objects.exists()
