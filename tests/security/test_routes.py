"""Every route of the URL conf is one that some test tries as a stranger, or is meant for all."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.api.test_description import SCHEMA
from tests.api.test_strangers import ROUTES as TRIED_AS_A_STRANGER

# Without a key, by design: health, figures, and the API's description.
FOR_ALL = {"livez", "readyz", "metrics", "openapi.json", "docs"}
# No object of a client's in their paths; below they are tried without a key.
STAFF = "admin/"


def routes(resolver=None, prefix=""):
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            if path != STAFF:
                yield from routes(entry, path)
        elif isinstance(entry, URLPattern) and str(entry.pattern):
            yield path


def as_described(path):
    """Return a path as the API's description writes it."""
    return "/" + path.replace("<uuid:", "{").replace(">", "}")


ALL = [path for path in routes() if path not in FOR_ALL]
WITH_OBJECTS = [path for path in ALL if "<" in path and not path.startswith("v1/merchants/")]


def test_there_are_routes():
    assert len(ALL) > 20


@pytest.mark.parametrize("path", ALL)
def test_a_route_is_in_the_description(path):
    assert as_described(path) in SCHEMA["paths"]


@pytest.mark.parametrize("path", WITH_OBJECTS)
def test_a_route_to_an_object_is_tried_as_a_stranger(path):
    assert as_described(path) in {tried for _, tried in TRIED_AS_A_STRANGER}


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post", "patch", "delete", "put"])
@pytest.mark.parametrize("path", ALL)
def test_without_a_key_a_route_answers_nothing(client, method, path):
    some_id = "01a20ffb-58b1-7151-bc0a-5dc69d3df02f"
    filled = "/" + "".join(
        some_id + rest[rest.index(">") + 1 :] if ">" in rest else rest for rest in path.split("<")
    )
    body = json.dumps({"description": "NETFLIX", "url": "https://c.example", "client_id": "1"})
    answer = client.generic(method.upper(), filled, body, content_type="application/json")
    assert answer.status_code in (401, 403, 405), answer.content
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "status"),
    [("/docs", 405), ("/openapi.json", 405), ("/admin/", 413), ("/admin/login/", 413)],
)
def test_a_file_that_no_form_takes_is_not_written_to_disk(settings, admin_user, path, status):
    settings.FILE_UPLOAD_TEMP_DIR = "/nowhere"  # whoever writes there fails
    client = Client(enforce_csrf_checks=True)
    client.cookies["csrftoken"] = 32 * "a"
    file = SimpleUploadedFile("a.bin", 3 * 1024 * 1024 * b"x")
    assert client.post(path, {"file": file}).status_code == status, "of a stranger it is not read"
    client.force_login(admin_user)
    file.seek(0)
    assert client.post(path, {"file": file}).status_code in (403, 405)


@pytest.mark.django_db
def test_staff_pages_want_a_login(client):
    for path in ("/admin/", "/admin/clients/client/", "/admin/webhooks/delivery/"):
        answer = client.get(path)
        assert answer.status_code == 302
        assert "/login/" in answer["Location"]
