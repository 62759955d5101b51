import os
import re
import subprocess
import sys
from base64 import urlsafe_b64encode
from ipaddress import ip_network

import pytest
from cryptography.fernet import Fernet

from pave.operations import checks
from pave.operations.monitoring import telemetry
from pave.settings import INSECURE_ENCRYPTION_KEY, INSECURE_SECRET_KEY
from tests.system.stack import ROOT

ENCRYPTION_KEY = urlsafe_b64encode(b"0" * 32).decode()


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
        ("FIELD_ENCRYPTION_KEYS", [INSECURE_ENCRYPTION_KEY], "pave.E008"),
        ("SECRET_KEY", INSECURE_SECRET_KEY, "pave.E007"),
        ("SECRET_KEY_FALLBACKS", ["0" * 50, INSECURE_SECRET_KEY], "pave.E007"),
        ("SECRET_KEY_FALLBACKS", ["short"], "pave.E007"),
    ],
)
def test_keys_that_protect_nothing_are_refused(settings, name, value, id_):
    settings.SECRET_KEY = "0" * checks.SECRET_KEY_LENGTH
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert checks.keys(None) == []
    setattr(settings, name, value)
    assert [error.id for error in checks.keys(None)] == [id_]


@pytest.mark.parametrize(
    ("network", "ids"),
    [
        ("0.0.0.0/0", ["pave.E012"]), ("::/0", ["pave.E012"]), ("127.0.0.0/8", ["pave.E012"]),
        ("::1/128", ["pave.E012"]), ("0.0.0.0/8", ["pave.E012"]), ("127.0.0.2/31", ["pave.E012"]),
        ("::ffff:127.0.0.0/104", ["pave.E012"]), ("10.0.0.0/8", []), ("fd00::/8", []),
    ],
)  # fmt: skip
def test_in_production_no_network_holds_this_machine(settings, network, ids):
    settings.PAVE_WEBHOOK_ALLOWED_NETWORKS = [ip_network(network)]
    assert [error.id for error in checks.networks(None)] == ids
    settings.DEBUG = True
    assert checks.networks(None) == []


def test_a_redis_without_a_scheme_is_refused(settings):
    settings.REDIS_URL = "localhost:6379"
    assert [error.id for error in checks.redis_url(None)] == ["pave.E009"]
    settings.REDIS_URL = "rediss://localhost:6379/0"
    assert checks.redis_url(None) == []


@pytest.mark.parametrize(
    ("host", "is_one"),
    [
        ("pave.example.com", True), (".example.com", True), ("localhost", True),
        ("127.0.0.1", True), ("[::1]", True), ("pave_web", True),
        ("https://pave.example.com", False), ("pave.example.com:443", False), ("'a.b'", False),
        ("a.b/", False), (" a.b", False), ("", False), ("*.a.b", False),
    ],
)  # fmt: skip
def test_hosts_that_no_request_can_name_are_refused(settings, host, is_one):
    settings.ALLOWED_HOSTS = ["localhost", host]
    assert [error.id for error in checks.hosts(None)] == ([] if is_one else ["pave.E010"])


def test_in_production_not_all_hosts_are_allowed(settings):
    settings.ALLOWED_HOSTS = ["localhost", "*"]
    assert [error.id for error in checks.hosts(None)] == ["pave.E011"]
    settings.DEBUG = True
    assert checks.hosts(None) == []


def start(*command, **environ):
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, **environ},
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )


def test_manage_py_check_and_what_starts_refuse_them():
    for command in ("check", "qcluster"):
        ran = start("manage.py", command, PAVE_WORKERS="0")
        assert ran.returncode != 0, command
        assert "pave.E001" in ran.stderr, command


@pytest.mark.parametrize(
    ("setting", "value", "why"),
    [
        ("SECRET_KEY", "short", "pave.E007"),
        ("SECRET_KEY", INSECURE_SECRET_KEY, "pave.E007"),
        ("SECRET_KEY_FALLBACKS", INSECURE_SECRET_KEY, "pave.E007"),
        ("FIELD_ENCRYPTION_KEYS", INSECURE_ENCRYPTION_KEY, "pave.E008"),
        ("FIELD_ENCRYPTION_KEYS", f"{ENCRYPTION_KEY},{INSECURE_ENCRYPTION_KEY}", "pave.E008"),
        ("FIELD_ENCRYPTION_KEYS", "no key", "pave.E008"),
        ("ALLOWED_HOSTS", "*", "pave.E011"),
        ("PAVE_WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8", "pave.E012"),
        ("PAVE_METRICS_TOKEN", "short", "pave.E014"),
        # Without which there are no settings that could be checked.
        ("SECRET_KEY", "", "SECRET_KEY is not set"),
        ("FIELD_ENCRYPTION_KEYS", "", "FIELD_ENCRYPTION_KEYS is not set"),
    ],
)
def test_nothing_starts_with_what_protects_nothing(setting, value, why):
    gunicorn = ["-m", "gunicorn", "-c", "python:pave.gunicorn", "pave.wsgi", "-b", "127.0.0.1:0"]
    production = {
        "DEBUG": "false",
        "SECRET_KEY": "0" * checks.SECRET_KEY_LENGTH,
        "FIELD_ENCRYPTION_KEYS": ENCRYPTION_KEY,
        "ALLOWED_HOSTS": "pave.example.com",
        setting: value,
    }
    for command in (gunicorn, ["manage.py", "qcluster"], ["manage.py", "migrate"]):
        ran = start(*command, **production)
        assert ran.returncode != 0
        assert set(re.findall(r"pave\.E\d+|\w+ is not set", ran.stderr)) == {why}


def test_the_file_of_sqlite_is_its_owners_alone(tmp_path):
    path = tmp_path / "pave.sqlite3"
    start("manage.py", "migrate", "clients", DATABASE_URL=f"sqlite:///{path}", REDIS_URL="")
    assert path.stat().st_size > 0
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_of_sqlite_that_others_may_read_is_taken_from_them(tmp_path):
    path = tmp_path / "pave.sqlite3"
    path.touch(mode=0o644)
    start("manage.py", "showmigrations", DATABASE_URL=f"sqlite:///{path}", REDIS_URL="")
    assert path.stat().st_mode & 0o077 == 0


def test_not_everybody_is_a_trusted_proxy(settings):
    settings.PAVE_TRUSTED_PROXIES = [ip_network("10.0.0.0/8"), ip_network("::/0")]
    assert [error.id for error in checks.proxies(None)] == ["pave.E013"]


def test_a_refusal_that_ops_accept_is_lifted():
    environ = {
        "DEBUG": "false",
        "SECRET_KEY": "0" * 50,
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "PAVE_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    assert "pave.E012" in start("manage.py", "check", **environ).stderr
    lifted = start("manage.py", "check", **environ, SILENCED_SYSTEM_CHECKS="pave.E012")
    assert lifted.returncode == 0, lifted.stderr


def test_a_token_that_can_be_guessed_is_refused(settings):
    settings.DEBUG, settings.PAVE_METRICS_TOKEN = False, "x" * 15
    assert [error.id for error in checks.metrics_token(None)] == ["pave.E014"]
    for token in ("", "x" * 16):
        settings.PAVE_METRICS_TOKEN = token
        assert not checks.metrics_token(None)


def test_a_deployment_without_a_mail_server_is_warned(settings):
    settings.PAVE_SENDS_MAIL = False
    assert [warning.id for warning in checks.mail_server(None)] == ["pave.W015"]
    settings.PAVE_SENDS_MAIL = True
    assert not checks.mail_server(None)
