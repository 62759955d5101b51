"""Web addresses of merchants are URIs, however their sources write them."""

import re
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from merchants.catalogue.sources.records import MerchantRecord
from merchants.catalogue.sources.shipped import load_shipped
from merchants.matching.reading import Reading
from merchants.matching.text.uris import as_uri
from merchants.models import Merchant
from merchants.requests.events import found
from tests.factories import MerchantFactory

# The characters of RFC 3986, section 2, and its brackets around an IPv6 address only.
URI = re.compile(
    r"https?://(\[[0-9A-Fa-f:.]+\]|[^\[\]/?#]*)[^\[\]]*|[^\[\]]*", re.IGNORECASE | re.DOTALL
)
CHARACTERS = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*")
LOGO = "https://commons.wikimedia.org/wiki/Special:FilePath/"


def is_uri(text):
    return bool(URI.fullmatch(text) and CHARACTERS.fullmatch(text))


@pytest.mark.parametrize(
    ("address", "uri"),
    [
        (f"{LOGO}Apple Store wordmark.svg", f"{LOGO}Apple%20Store%20wordmark.svg"),
        (f"{LOGO}Bücher%20100%.svg", f"{LOGO}B%C3%BCcher%20100%25.svg"),
        ("https://www.öob.se", "https://www.xn--ob-eka.se"),
        ("https://Ярче.рф/ru", "https://xn--e1avv4a.xn--p1ai/ru"),
        ("http://rüedu.ch:8080/?q=ü", "http://xn--redu-0ra.ch:8080/?q=%C3%BC"),
        ("https://example.com/a[1]", "https://example.com/a%5B1%5D"),
        ("https://example.com/a%20b?c=d&e=(f)#g", "https://example.com/a%20b?c=d&e=(f)#g"),
        ("https://[::1]/x", "https://[::1]/x"),
        ("", ""),
    ],
)
def test_what_is_illegal_is_encoded_and_the_rest_stays(address, uri):
    assert as_uri(address) == uri


@given(st.text(max_size=30) | st.text(max_size=30).map("https://{}".format))
def test_any_text_becomes_one_that_stays_as_it_is(text):
    uri = as_uri(text)
    assert CHARACTERS.fullmatch(uri)
    assert as_uri(uri) == uri


def test_all_shipped_addresses_are_uris_and_fit():
    for record in load_shipped():
        addresses = (record.website, record.logo_url, *record.websites.values())
        assert all(map(is_uri, addresses)), addresses
        assert len(record.website) <= 300
        assert len(record.logo_url) <= 500


def test_what_a_source_gives_becomes_a_uri():
    record = MerchantRecord(
        "k", "N", website="https://öob.se", logo_url=f"{LOGO}A B.svg", websites={"SE": "öob.se"}
    )
    assert record.website == "https://xn--ob-eka.se"
    assert record.logo_url == f"{LOGO}A%20B.svg"
    assert record.websites == {"SE": "xn--ob-eka.se"}


def migrate_rows():
    migration = import_module("merchants.migrations.0012_addresses_are_uris")
    with connection.schema_editor() as editor:
        migration.rewrite(apps, editor)


@pytest.mark.django_db(transaction=True)
@pytest.mark.storage
def test_the_migration_rewrites_the_rows_that_are_there(monkeypatch):
    migration = import_module("merchants.migrations.0012_addresses_are_uris")
    monkeypatch.setattr(migration, "CHUNK", 2)
    rows = [
        MerchantFactory(logo_url=f"{LOGO}{number} logo.svg", websites={"SE": "https://öob.se"})
        for number in range(5)
    ]
    plain = MerchantFactory(website="https://example.com", logo_url="")
    migrate_rows()
    for number, row in enumerate(rows):
        row.refresh_from_db()
        assert row.logo_url == f"{LOGO}{number}%20logo.svg"
        assert row.websites == {"SE": "https://xn--ob-eka.se"}
    before = plain.updated_at
    plain.refresh_from_db()
    assert (plain.website, plain.logo_url, plain.updated_at) == ("https://example.com", "", before)
    with CaptureQueriesContext(connection) as captured:
        migrate_rows()
    assert [query for query in captured if "UPDATE" in query["sql"]] == []


def test_answers_of_an_earlier_release_are_given_with_uris():
    merchant = {
        "id": None, "name": "N", "website": "https://öob.se", "wikidata": None, "mcc": None,
        "category": None, "logo_url": f"{LOGO}A B.svg",
    }  # fmt: skip
    match = {"method": "catalogue", "confidence": 1, "rule": None, "ruleset": 1}
    shown = found({"merchant": merchant, "match": match}, Reading(), "")["merchant"]
    assert shown["website"] == "https://xn--ob-eka.se"
    assert shown["logo_url"] == f"{LOGO}A%20B.svg"


@pytest.mark.django_db
def test_what_staff_write_becomes_a_uri(superuser):
    superuser.post(
        reverse("admin:merchants_merchant_add"),
        {
            "name": "Öob", "website": "https://öob.se", "logo_url": f"{LOGO}A B.svg",
            "active": "on", "mccs": "[]", "countries": "[]", "websites": '{"SE": "https://öob.se"}',
            "aliases-TOTAL_FORMS": "0", "aliases-INITIAL_FORMS": "0",
        },
    )  # fmt: skip
    merchant = Merchant.objects.get(name="Öob")
    assert merchant.website == "https://xn--ob-eka.se"
    assert merchant.logo_url == f"{LOGO}A%20B.svg"
    assert merchant.websites == {"SE": "https://xn--ob-eka.se"}


def test_the_schema_says_so(client):
    schema = client.get("/openapi.json").json()
    members = str(schema["components"]["schemas"])
    for name in ("website", "logo_url"):
        assert f"'{name}': {{'type': ['string', 'null'], 'format': 'uri'}}" in members
