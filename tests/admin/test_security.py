"""Logging in is limited, pages keep to a strict policy, and cookies to what is proper."""

import base64
import gc
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse
from pytest_django import Settings
from rest_framework.test import APIClient

from pave.api.media_types import with_plain_headers
from pave.staff import logins
from pave.staff.site import PAGES

FORM_TYPE = "application/x-www-form-urlencoded"
PASSWORD = "right-horse-battery"


@pytest.fixture
def anna(db: None) -> User:
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


@pytest.mark.parametrize("after", [{}, {"next": ""}, {"next": "https://elsewhere.example/"}])
def test_a_login_ends_on_a_page_that_is_there(anna: User, after: dict[str, str]) -> None:
    browser = Browser()
    login = {"username": "anna", "password": PASSWORD, **after}
    page = browser.post(reverse("admin:login"), login, follow=True)
    assert page.redirect_chain == [(reverse("admin:index"), 302)]
    assert page.status_code == 200


def test_a_name_longer_than_any_is_refused_as_such(anna: User) -> None:
    page = Browser().post(reverse("admin:login"), {"username": "w" * 256, "password": PASSWORD})
    assert page.status_code == 200
    assert "at most 150 characters" in page.content.decode()


def test_wrong_passwords_in_the_api_lock_nobody_out(anna: User) -> None:
    login = base64.b64encode(b"anna:wrong").decode()
    api = APIClient(HTTP_AUTHORIZATION=f"Basic {login}")
    body = {"url": "https://client.example/hook", "client_id": "1234"}
    for _ in range(settings.AXES_FAILURE_LIMIT + 1):
        assert api.post("/create_webhook", body, format="json").status_code == 401
    assert _log_in(Browser(), PASSWORD) == 302


def _try_names(browser: Browser, count: int) -> list[int]:
    return [
        browser.post(
            reverse("admin:login"), {"username": f"anna-{number}", "password": "wrong"}
        ).status_code
        for number in range(count)
    ]


def test_an_address_has_so_many_tries_a_minute_whatever_the_names(anna: User) -> None:
    begun = datetime(2026, 11, 24, 12, tzinfo=UTC)
    with time_machine.travel(begun, tick=False):
        tries = _try_names(Browser(), logins.ATTEMPTS_PER_MINUTE + 1)
        assert tries == [200] * logins.ATTEMPTS_PER_MINUTE + [429]
        refused = Browser().post(reverse("admin:login"), {"username": "anna", "password": PASSWORD})
        assert (refused.status_code, refused["Retry-After"]) == (429, "60")
        assert "Try again in a minute" in refused.text
        assert Browser().get(reverse("admin:login")).status_code == 200
        assert _log_in(Browser(REMOTE_ADDR="192.0.2.9"), PASSWORD) == 302
    with time_machine.travel(begun + timedelta(minutes=1), tick=False):
        assert _log_in(Browser(), PASSWORD) == 302


def test_of_ipv6_a_network_has_so_many_tries(anna: User) -> None:
    with time_machine.travel(datetime(2026, 11, 24, 12, tzinfo=UTC), tick=False):
        for number in range(logins.ATTEMPTS_PER_MINUTE):
            _try_names(Browser(REMOTE_ADDR=f"2001:db8:1:1::{number:x}"), 1)
        assert _log_in(Browser(REMOTE_ADDR="2001:db8:1:1::ffff"), PASSWORD) == 429
        assert _log_in(Browser(REMOTE_ADDR="2001:db8:1:2::1"), PASSWORD) == 302


def test_without_the_cache_nobody_is_kept_out(anna: User, settings: Settings) -> None:
    away = {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": "redis://127.0.0.1:1/0",
        "OPTIONS": {"IGNORE_EXCEPTIONS": True},
    }
    settings.CACHES = {"default": away}
    assert _log_in(Browser(), "wrong") == 200
    assert _log_in(Browser(), PASSWORD) == 302


def test_a_process_tries_one_password_at_a_time(
    anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "WAIT_SECONDS", 0.1)
    with logins.attempt_slot("192.0.2.9"):
        refused = Browser().post(reverse("admin:login"), {"username": "anna", "password": PASSWORD})
        assert (refused.status_code, refused["Retry-After"]) == (429, "1")
        assert "Others are logging in" in refused.text
    assert _log_in(Browser(), PASSWORD) == 302


@pytest.mark.django_db(transaction=True)
def test_a_few_wait_for_those_who_log_in_and_one_more_is_refused_at_once(
    anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "WAIT_SECONDS", 60)
    sent = threading.Barrier(logins.MAX_CONCURRENT)

    def log_in() -> int:
        sent.wait(10)
        try:
            return _log_in(Browser(), PASSWORD)
        finally:
            connection.close()

    with ThreadPoolExecutor(logins.MAX_CONCURRENT) as pool:
        with logins.attempt_slot("192.0.2.9"):
            tries = [pool.submit(log_in) for _ in range(logins.MAX_CONCURRENT)]
            first = next(as_completed(tries, timeout=30))  # the others hold the places
            assert first.result() == 429
        assert sorted(one.result(30) for one in tries) == [302] * (logins.MAX_CONCURRENT - 1) + [
            429
        ]


def test_one_person_has_four_pages_made_at_once_and_all_of_them_six(superuser: Browser) -> None:
    page = reverse("admin:index")
    me = int(superuser.session["_auth_user_id"])
    with ExitStack() as slots:
        for _ in range(4):
            slots.enter_context(PAGES.slot(me))
        refused = superuser.get(page)
        assert (refused.status_code, refused["Retry-After"]) == (503, "1")
        assert "Four other pages of yours" in refused.text
    assert superuser.get(page).status_code == 200
    with ExitStack() as slots:
        for other in range(6):
            slots.enter_context(PAGES.slot(f"other {other}"))
        assert superuser.get(page).status_code == 503
    assert [superuser.get(page).status_code for _ in range(10)] == [200] * 10


def test_pages_that_fail_keep_no_place(superuser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    superuser.raise_request_exception = False
    monkeypatch.setattr(admin.site, "index_template", "missing.html")
    gc.disable()  # what is in a cycle stays
    try:
        failed = [superuser.get(reverse("admin:index")).status_code for _ in range(8)]
    finally:
        gc.enable()
    assert failed == [500] * 8


@pytest.mark.parametrize("name", ["login", "index", "merchants_ruleset_draft"])
def test_a_strangers_form_is_not_read_unless_it_is_small(db: None, name: str) -> None:
    stranger = Browser(enforce_csrf_checks=True)
    form = {f"field {number}": "a" for number in range(200)}
    response = stranger.post(reverse(f"admin:{name}"), form)
    assert response.status_code == 413
    assert stranger.post(reverse(f"admin:{name}"), {"username": "a"}).status_code == 403


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/livez", "/nothing"])
def test_a_form_for_a_page_without_forms_is_not_read(db: None, path: str) -> None:
    stranger = Browser(enforce_csrf_checks=True, raise_request_exception=False)
    stranger.cookies["csrftoken"] = "a" * 32
    form = {f"field {number}": "a" for number in range(2_000)}  # which would be a 400
    assert stranger.post(path, form).status_code in (404, 405)


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


def test_a_form_in_another_charset_is_refused(anna: User) -> None:
    browser = Browser()
    browser.force_login(anna)
    environ = with_plain_headers({"CONTENT_TYPE": f"{FORM_TYPE}; charset=iso-8859-1"})
    answer = browser.generic(
        "POST",
        reverse("admin:clients_client_add"),
        b"client_id=r27&name=caf%E9&share=1&max_in_flight=1&active=on",
        content_type=environ["CONTENT_TYPE"],
    )
    assert answer.status_code == 415


def test_a_machines_many_addresses_of_ipv6_count_as_one(anna: User) -> None:
    def browser(number: int) -> Browser:
        return Browser(REMOTE_ADDR=f"2001:db8:1:1::{number:x}")

    for number in range(settings.AXES_FAILURE_LIMIT):
        _log_in(browser(number), "wrong")
    assert _log_in(browser(99), PASSWORD) == 429
    assert _log_in(Browser(REMOTE_ADDR="2001:db8:1:2::1"), PASSWORD) == 302


def test_addresses_of_ipv4_that_are_mapped_count_each(anna: User) -> None:
    for number in range(settings.AXES_FAILURE_LIMIT):
        _log_in(Browser(REMOTE_ADDR=f"::ffff:192.0.2.{number}"), "wrong")
    assert _log_in(Browser(REMOTE_ADDR="::ffff:198.51.100.7"), PASSWORD) == 302
