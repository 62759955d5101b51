"""Fixtures of all tests: callers of the API, a receiver, and a clean memory."""

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.cache import cache, caches
from django.db import connection
from pytest_django import Settings
from rest_framework.test import APIClient

from merchants.api import backpressure
from merchants.catalogue import rulesets
from merchants.models import NormalizationRequest
from merchants.requests import submission
from pave.api.media_types import with_plain_headers
from pave.clients import api_keys
from pave.clients.models import Client
from tests.factories import SECRET, ClientFactory, SigningSecretFactory, WebhookFactory
from tests.merchants.heuristics import FirstWord
from tests.servers import ON_SQLITE, Servers
from webhooks.delivery.dispatcher import Dispatcher
from webhooks.models import Webhook
from webhooks.receiver.application import Receiver


@dataclass(frozen=True, slots=True)
class Caller:
    """A client of Pave's and the key that it calls with."""

    client: Client
    key: str

    @property
    def api(self) -> APIClient:
        """An HTTP client that sends the key."""
        return PlainClient(HTTP_AUTHORIZATION=f"Api-Key {self.key}")


class PlainClient(APIClient):
    """Sends headers as Pave's WSGI application lets Django see them."""

    def request(self, **environ: Any) -> Any:
        return super().request(**with_plain_headers(environ))


def _caller(client_id: str) -> Caller:
    client = ClientFactory(client_id=client_id, name="")
    return Caller(client, api_keys.issue(client=client)[1])


@pytest.fixture
def client_1234(db: None) -> Caller:
    """The seed's client."""
    return _caller("1234")


@pytest.fixture
def stranger(db: None) -> Caller:
    """Another client, who must never see or change what is client 1234's."""
    return _caller("stranger")


@pytest.fixture
def api(client_1234: Caller) -> APIClient:
    """HTTP as client 1234."""
    return client_1234.api


@pytest.fixture
def stranger_api(stranger: Caller) -> APIClient:
    """HTTP as the stranger."""
    return stranger.api


@pytest.fixture
def loopback_allowed(settings: Settings) -> None:
    """Let webhooks have addresses on this machine."""
    settings.PAVE_WEBHOOK_ALLOWED_NETWORKS = [
        ipaddress.ip_network(network) for network in ("127.0.0.0/8", "::1/128")
    ]


@pytest.fixture
def receiver(loopback_allowed: None) -> Iterator[Receiver]:
    """A webhook endpoint, which verifies with the secret of SigningSecretFactory."""
    with Receiver(secrets=[SECRET]) as started:
        yield started


@pytest.fixture
def webhook(client_1234: Caller, receiver: Receiver) -> Webhook:
    """An enabled webhook of client 1234's that points at ``receiver``."""
    webhook = WebhookFactory(client=client_1234.client, url=receiver.url("/hook"))
    SigningSecretFactory(webhook=webhook)
    return webhook


@pytest.fixture
def send(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Send what is due, as the cluster would, and return how many attempts were made."""
    monkeypatch.setattr("pave.operations.cluster.work_loop.LINGER_SECONDS", 0.1)

    def send(threads: int = 32) -> int:
        return Dispatcher(threads=threads).run(seconds=10)

    return send


@pytest.fixture
def first_word(settings: Settings) -> None:
    """Answer by the heuristic ``FirstWord``, which counts its runs."""
    settings.PAVE_HEURISTIC = f"{FirstWord.__module__}.FirstWord"
    FirstWord.runs = 0


@pytest.fixture
def submit(client_1234: Caller) -> Callable[..., NormalizationRequest]:
    """Submit a transaction of client 1234."""

    def submit(description: str, **fields: Any) -> NormalizationRequest:
        return submission.submit(
            client=client_1234.client, fields={"description": description, **fields}
        )

    return submit


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what earlier tests left in the cache and in this process."""
    if not ON_SQLITE:  # there the cache is in the database, and emptied with it
        cache.delete_pattern("*")
    caches["process"].clear()
    # A test's ruleset is rolled back, and its number given out again.
    rulesets.heuristic_for.cache_clear()
    rulesets.content_of.cache_clear()
    rulesets.changes_between.cache_clear()
    rulesets._changed_by.cache_clear()
    monkeypatch.setattr("pave.clients.api_keys._last_recorded", {})
    api_keys._by_prefix._in_process.clear()
    # Nobody looks at the queue's depth within a test, but for those about that.
    monkeypatch.setattr("merchants.api.backpressure.depth", lambda most, **of: 0)
    monkeypatch.setattr("merchants.api.backpressure._of_clients", {})
    monkeypatch.setattr(
        "merchants.api.backpressure._of_all", backpressure.Seen(backpressure.Everybody())
    )
    monkeypatch.setattr("pave.operations.cluster.wakeup._quiet_until", {})
    monkeypatch.setattr("pave.operations.cluster.wakeup._away_until", {})
    monkeypatch.setattr("webhooks.endpoints.mail._unavailable_until", 0.0)
    # A busy machine needs longer for a batch's keys, and would leave the rest for the next one.
    monkeypatch.setattr("merchants.requests.admission.KEYING_SECONDS", 20.0)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, servers: Servers
) -> None:
    """Keep SQLite's test database in a file: one in memory locks otherwise than Pave's does.

    PostgreSQL's is made from what has the tables already, where that is at hand.
    """
    if ON_SQLITE:
        connection.settings_dict["TEST"]["NAME"] = str(servers.folder / "test.sqlite3")
    elif servers.template:
        connection.settings_dict["TEST"]["TEMPLATE"] = servers.template
