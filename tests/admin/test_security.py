"""Logging in is limited, pages keep to a strict policy, and cookies to what is proper."""

import base64

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse
from pytest_django import Settings
from rest_framework.test import APIClient

PASSWORD = "right-horse-battery"


@pytest.fixture
def anna(db: None, settings: Settings) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return User.objects.create_superuser("anna", password=PASSWORD)


def _log_in(browser: Browser, password: str) -> int:
    return browser.post(
        reverse("admin:login"), {"username": "anna", "password": password}
    ).status_code


def test_wrong_passwords_lock_the_name_for_the_address(anna: User) -> None:
    browser = Browser()
    for _ in range(settings.AXES_FAILURE_LIMIT - 1):
        assert _log_in(browser, "wrong") == 200
    assert _log_in(browser, "wrong") == 429
    assert _log_in(browser, PASSWORD) == 429
    assert _log_in(Browser(REMOTE_ADDR="192.0.2.9"), PASSWORD) == 302


def test_a_right_password_forgives_earlier_mistakes(anna: User) -> None:
    browser = Browser()
    for _ in range(3):
        for _ in range(settings.AXES_FAILURE_LIMIT - 2):
            _log_in(browser, "wrong")
        assert _log_in(browser, PASSWORD) == 302


def test_the_apis_login_for_staff_is_limited_too(anna: User) -> None:
    api = APIClient()
    body = {"url": "https://client.example/hook", "client_id": "1234"}
    codes = []
    for _ in range(settings.AXES_FAILURE_LIMIT + 1):
        api.credentials(HTTP_AUTHORIZATION=_basic("wrong"))
        codes.append(api.post("/create_webhook", body, format="json").status_code)
    assert set(codes) <= {401, 429}
    api.credentials(HTTP_AUTHORIZATION=_basic(PASSWORD))
    locked = api.post("/create_webhook", body, format="json")
    assert locked.status_code == 429
    assert int(locked.headers["Retry-After"]) > 0


def _basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"anna:{password}".encode()).decode()


def test_pages_allow_nothing_but_our_own_files(superuser: Browser) -> None:
    policy = superuser.get(reverse("admin:index")).headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_sessions_end_with_the_browser_and_after_a_day_of_work(anna: User) -> None:
    browser = Browser()
    _log_in(browser, PASSWORD)
    cookie = browser.cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert not cookie["expires"]
    assert settings.SESSION_COOKIE_AGE <= 24 * 3600


def test_nobody_who_is_no_staff_gets_in(db: None) -> None:
    browser = Browser()
    browser.force_login(
        User.objects.create_user("client"), backend="django.contrib.auth.backends.ModelBackend"
    )
    for name in ("admin:index", "admin:search", "admin:merchants_ruleset_try"):
        assert browser.get(reverse(name)).status_code == 302
