"""Fixtures of the tests of rows that somebody has locked."""

import pytest
from django.core.cache import cache

from merchants.requests import admission, admission_claims, heuristic_queue, submission
from merchants.requests.resolutions import attempts
from pave.core.database import locked_rows


@pytest.fixture
def impatient(settings, monkeypatch):
    """Wait only for a moment for locks, and leave nothing alone that was locked before."""
    settings.PAVE_HEURISTIC = "tests.merchants.heuristics.FirstWord"
    monkeypatch.setattr(locked_rows, "_TOGETHER_SECONDS", 0.1)
    monkeypatch.setattr(locked_rows, "FIRST_PAUSE", 0)
    monkeypatch.setattr(admission_claims, "LOCKED", locked_rows.LockedRows())
    monkeypatch.setattr(admission_claims, "LOCKED_CLIENTS", locked_rows.LockedRows())
    monkeypatch.setattr(admission, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(attempts, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(heuristic_queue, "LOCK_SECONDS", 0.1)
    cache.clear()


@pytest.fixture
def submit_for(stranger):
    """Return a function that submits a description, of the stranger's if no client is named."""

    def submit_for(description, client=stranger.client):
        return submission.submit(client=client, fields={"description": description})

    return submit_for
