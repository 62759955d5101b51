"""The tables of the last release, with rows in them, become those of this one."""

import json
import os
import subprocess
import sys

import pytest

from tests.system.databases import PostgresDatabase, SQLiteDatabase
from tests.system.stack import ROOT

pytestmark = pytest.mark.timeout(240)

BEFORE = {
    "clients": "0002_limits",
    "merchants": "0005_ruleset_content_is_deferred",
    "staff": "0002",
}
AT = "2026-11-20 09:30:00+00:00"
IDS = [f"01970f3e-9c1b-7c52-b0d4-6a4c1f3f9a{number:02d}" for number in range(20)]
MERCHANT = IDS[19]
SECRET = "JANE DOE"


@pytest.fixture(params=["postgresql", "sqlite"])
def database(request, servers, tmp_path):
    if request.param == "sqlite":
        yield SQLiteDatabase(tmp_path / "before.sqlite3")
        return
    made = PostgresDatabase(os.environ["DATABASE_URL"], "pave_upgrade")
    yield made
    made.drop()


def migrate(database, *target):
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0", *target],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database.url},
        check=True,
    )


def insert(database, table, **values):
    names = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join(["%s"] * len(values))
    parameters = [
        json.dumps(value) if isinstance(value, dict | list) else value for value in values.values()
    ]
    database.rows(f"INSERT INTO {table} ({names}) VALUES ({marks})", *parameters)  # noqa: S608 - names of our own


def resolution(database, pk, key, status, **fields):
    answered = status == "resolved"
    insert(
        database, "merchants_resolution", id=as_id(database, pk), key=key, ruleset_id=1,
        status=status, transaction={"description": SECRET}, attempts=1, bulk=False, claimed_by="",
        next_attempt_at=None if answered else AT,
        answer={
            "merchant": {"id": None, "name": "Netflix", "website": None, "wikidata": None,
                         "mcc": None, "category": "fast food"},
            "match": {"method": "catalogue", "confidence": 0.97, "descriptor": f"NETFLIX {SECRET}",
                      "intermediary": None, "rule": None, "ruleset": 1},
        } if answered else None,
        method="catalogue" if answered else "", confidence=None, evidence=[SECRET], error="",
        created_at=AT, **fields,
    )  # fmt: skip


def request(database, pk, client, status, resolution, description):
    insert(
        database, "merchants_normalizationrequest", id=as_id(database, pk), client_id=client,
        status=status, description=description, amount="", currency="", mcc="", country="",
        city="", reference="", resolution_id=as_id(database, resolution), error="", created_at=AT,
    )  # fmt: skip


def as_id(database, pk):
    return pk.replace("-", "") if isinstance(database, SQLiteDatabase) else pk


def test_waiting_requests_go_on_and_answers_lose_what_was_read_from_a_text(database):
    for app, name in BEFORE.items():
        migrate(database, app, name)
    migrate(database, "webhooks")
    for pk, client in ((1, "bank-a"), (2, "bank-b")):
        insert(
            database, "clients_client", id=pk, client_id=client, name="", active=True, notes="",
            created_at=AT,
        )  # fmt: skip
    insert(
        database,
        "merchants_ruleset",
        number=1,
        note="",
        content=b"",
        published_by="",
        published_at=AT,
    )
    insert(
        database, "merchants_merchant", id=as_id(database, MERCHANT), name="Netflix", website="",
        wikidata="", mccs=["5814"], countries=[], category="fast food", active=True,
        logo_url="https://logo.example/n 1.svg", updated_at=AT,
    )  # fmt: skip
    kept, text, waiting = f"m:{MERCHANT}:0.97:", f"d:::::{SECRET}", f"d:::::ALSO {SECRET}"
    resolution(database, IDS[0], kept, "resolved", merchant_id=as_id(database, MERCHANT))
    resolution(database, IDS[1], text, "resolved")
    resolution(database, IDS[2], waiting, "pending")
    request(database, IDS[3], 1, "completed", IDS[0], "NETFLIX JOHN SMITH")
    request(database, IDS[4], 1, "processing", IDS[2], "ALSO A")
    request(database, IDS[5], 1, "processing", IDS[2], "ALSO B")
    request(database, IDS[6], 2, "processing", IDS[2], "ALSO C")

    migrate(database)

    rows = database.rows('SELECT key, answer, evidence, "transaction" FROM merchants_resolution')
    assert SECRET not in str(rows)
    keys = {row[0] for row in rows}
    assert kept in keys
    assert "https://logo.example/n%201.svg" in str({row[0]: row[1] for row in rows}[kept])
    assert len([key for key in keys if key.startswith("retired:")]) == 2
    assert len(database.rows("SELECT client_id FROM merchants_waiter")) == 2
    [(category,)] = database.rows("SELECT category FROM merchants_merchant")
    assert category == "fast_food"
    # Web processes of the last release go on reading and writing while they are replaced.
    database.rows('SELECT bulk, next_attempt_at, "transaction" FROM merchants_resolution')
    request(database, IDS[7], 2, "queued", IDS[0], "FROM THE LAST RELEASE")
