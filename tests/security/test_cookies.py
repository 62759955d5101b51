"""Cookies of strangers are not unquoted."""

import http.cookies

import pytest
from django.urls import reverse

# gunicorn joins the lines of one header by commas.
HOSTILE = ",".join(['a="' + '\\"' * 4_000, *['\\"' * 4_000] * 3]) + '"'


@pytest.fixture
def unquoted(monkeypatch):
    """The values that Python has unquoted."""
    values = []
    unquote = http.cookies._unquote
    monkeypatch.setattr(
        http.cookies, "_unquote", lambda value: values.append(value) or unquote(value)
    )
    return values


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/livez", "/v1/usage", "/docs", "/nothing", "/admin/login/"])
def test_a_cookie_that_takes_long_to_unquote_is_ignored(client, unquoted, path):
    client.get(path, headers={"cookie": f"b=2; {HOSTILE}; c=3"})
    assert all("\\" not in value for value in unquoted)


def test_the_cookies_beside_it_count(admin_client, unquoted):
    session = admin_client.cookies["sessionid"].value
    admin_client.cookies.clear()
    cookies = f"{HOSTILE}; sessionid={session}"
    assert admin_client.get(reverse("admin:index"), headers={"cookie": cookies}).status_code == 200
    assert session in unquoted
