import os
import subprocess
import sys

import pytest
from cryptography.fernet import Fernet

from pave.operations import checks
from pave.operations.monitoring import telemetry
from tests.system.stack import ROOT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAVE_WORKERS", 0),
        ("PAVE_HEURISTIC_TIMEOUT", 0.5),
        ("PAVE_RETENTION_DAYS", 0),
        ("PAVE_MAX_QUEUE_DEPTH", 0),
        ("PAVE_STATEMENT_TIMEOUT", -1),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(settings, name, value):
    setattr(settings, name, value)
    [error] = checks.positive_numbers(None)
    assert name in error.msg


def test_a_pause_of_no_time_is_refused(settings):
    settings.PAVE_WEBHOOK_RETRY_SCHEDULE = [5, 0]
    assert [error.id for error in checks.retry_schedule(None)] == ["pave.E002"]


def test_a_heuristic_that_is_not_there_is_refused(settings):
    settings.PAVE_HEURISTIC = "merchants.nowhere.Heuristic"
    assert [error.id for error in checks.heuristic_path(None)] == ["pave.E003"]


def test_leases_that_end_before_the_work_are_refused(settings):
    settings.PAVE_RESOLUTION_LEASE = 1
    assert [error.id for error in checks.leases(None)] == ["pave.E004"]


def test_the_settings_as_they_are_pass():
    for check in (checks.positive_numbers, checks.retry_schedule, checks.leases):
        assert check(None) == []


def test_reporting_without_what_that_takes_is_refused(settings, monkeypatch):
    settings.SENTRY_DSN = "https://key@sentry.example/1"
    monkeypatch.setattr(telemetry, "_is_installed", lambda module: False)
    [error] = checks.telemetry_installed(None)
    assert error.id == "pave.E005"
    assert "sentry-sdk" in error.msg


def test_sentry_gets_no_bodies_and_no_values(settings, monkeypatch):
    given = {}

    class Sdk:
        init = staticmethod(given.update)

    settings.SENTRY_DSN = "https://key@sentry.example/1"
    monkeypatch.setattr(telemetry, "_is_installed", lambda module: True)
    monkeypatch.setattr(telemetry, "import_module", lambda name: Sdk)
    telemetry.start()
    assert given["send_default_pii"] is False
    assert given["include_local_variables"] is False
    assert given["max_request_body_size"] == "never"


def test_sqs_without_its_library_is_refused(settings, monkeypatch):
    settings.PAVE_BROKER = "sqs"
    monkeypatch.setattr(checks, "find_spec", lambda module: None)
    assert [error.id for error in checks.broker_installed(None)] == ["pave.E006"]


@pytest.mark.parametrize(
    ("name", "value", "id_"),
    [
        ("SECRET_KEY", "short", "pave.E007"),
        ("FIELD_ENCRYPTION_KEYS", ["abc"], "pave.E008"),
        ("FIELD_ENCRYPTION_KEYS", [Fernet.generate_key().decode(), "0" * 44], "pave.E008"),
    ],
)
def test_keys_that_protect_nothing_are_refused(settings, name, value, id_):
    settings.SECRET_KEY = "0" * checks.SECRET_KEY_LENGTH
    setattr(settings, name, value)
    assert [error.id for error in checks.keys(None)] == [id_]


def test_a_redis_without_a_scheme_is_refused(settings):
    settings.REDIS_URL = "localhost:6379"
    assert [error.id for error in checks.redis_url(None)] == ["pave.E009"]
    settings.REDIS_URL = "rediss://localhost:6379/0"
    assert checks.redis_url(None) == []


@pytest.mark.parametrize(
    ("host", "is_one"),
    [
        ("pave.example.com", True), (".example.com", True), ("localhost", True), ("*", True),
        ("127.0.0.1", True), ("[::1]", True), ("pave_web", True),
        ("https://pave.example.com", False), ("pave.example.com:443", False), ("'a.b'", False),
        ("a.b/", False), (" a.b", False), ("", False), ("*.a.b", False),
    ],
)  # fmt: skip
def test_hosts_that_no_request_can_name_are_refused(settings, host, is_one):
    settings.ALLOWED_HOSTS = ["localhost", host]
    assert [error.id for error in checks.hosts(None)] == ([] if is_one else ["pave.E010"])


def test_manage_py_check_and_what_starts_refuse_them():
    for command in ("check", "qcluster"):
        ran = subprocess.run(
            [sys.executable, "manage.py", command],
            cwd=ROOT,
            env={**os.environ, "PAVE_WORKERS": "0"},
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
        assert ran.returncode != 0, command
        assert "pave.E001" in ran.stderr, command
