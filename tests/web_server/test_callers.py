"""The web server is told who sent a request, for whose turn it then counts."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from tests.fixtures import Caller

pytestmark = [pytest.mark.django_db, pytest.mark.storage]


@pytest.fixture
def told() -> list[str]:
    """Whom the web server was told."""
    return []


@pytest.fixture
def environ(told: list[str]) -> dict[str, Any]:
    """What a request's environment has of Pave's web server."""
    return {"gunicorn.socket": SimpleNamespace(identify_caller=told.append)}


def test_a_client_is_known_by_its_key(
    client_1234: Caller, told: list[str], environ: dict[str, Any]
) -> None:
    client_1234.api.get("/v1/usage", **environ)
    assert told == [f"client {client_1234.client.pk}"]
    Browser().get("/v1/usage", headers={"Authorization": "Api-Key wrong.key"}, **environ)
    assert told[1:] == [""]
    Browser().get("/v1/usage", **environ)
    assert len(told) == 2


def test_staff_are_known_by_their_session(
    superuser: Browser, told: list[str], environ: dict[str, Any]
) -> None:
    for path in (reverse("admin:index"), reverse("admin:search")):
        superuser.get(path, **environ)
    superuser.post("/create_webhook", {}, "application/json", **environ)
    assert told == [f"staff {superuser.session['_auth_user_id']}"] * 3
    Browser().get(reverse("admin:login"), **environ)
    Browser().post("/create_webhook", {}, "application/json", **environ)
    assert len(told) == 3
