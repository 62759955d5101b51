"""503, where the database is away, full or too slow."""

import pytest
from django.db import connection
from django.db.utils import DatabaseError, InterfaceError, OperationalError

from merchants.requests import submission
from tests.servers import ON_SQLITE

pytestmark = pytest.mark.django_db


def post(api):
    return api.post("/v1/normalizations", {"description": "NETFLIX"}, format="json")


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_without_a_database_it_is_503_with_retry_after(api, monkeypatch, error):
    def fails(**kwargs):
        raise error("FATAL: sorry, too many clients already")

    monkeypatch.setattr(submission, "submit", fails)
    answer = post(api)
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    assert answer["Content-Type"] == "application/problem+json"
    assert "too many clients" not in answer.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_ends_without_a_word_is_503(api, client_1234):
    """As psycopg2 says of a backend that was killed: by an error of no class."""
    post(api)

    def lost(execute, *args):
        raise DatabaseError("server closed the connection unexpectedly")

    with connection.execute_wrapper(lost):
        assert post(api).status_code == 503


@pytest.mark.skipif(ON_SQLITE, reason="SQLite has no sessions")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("code", ["25006", "25P02", "25P03", "XX000", "XX001"])
def test_a_session_that_is_of_no_use_is_503_and_replaced(api, client_1234, code):
    """psycopg2 raises InternalError for them, as for a mistake of ours."""
    assert post(api).status_code == 202
    session = connection.connection.info.backend_pid

    def fails(execute, sql, params, *more):
        return execute(f"DO $$ BEGIN RAISE 'no use' USING ERRCODE = '{code}'; END $$", None, *more)

    with connection.execute_wrapper(fails):
        assert post(api).status_code == 503
    assert post(api).status_code == 202
    assert connection.connection.info.backend_pid != session


@pytest.mark.skipif(ON_SQLITE, reason="SQLite has no such locks")
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_ends_at_a_lock_is_503(api, client_1234):
    post(api)

    def lost(execute, sql, *args):
        if "advisory" in sql:
            raise DatabaseError("server closed the connection unexpectedly")
        return execute(sql, *args)

    with connection.execute_wrapper(lost):
        answer = api.post(
            "/v1/normalizations", {"description": "A"}, format="json", HTTP_IDEMPOTENCY_KEY="a"
        )
    assert answer.status_code == 503


def test_a_statement_that_takes_too_long_is_503(api, monkeypatch):
    def slow(**kwargs):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '50ms'")
            cursor.execute("SELECT pg_sleep(5)")

    monkeypatch.setattr(submission, "submit", slow)
    assert post(api).status_code == 503


def test_a_fault_of_ours_stays_a_fault_of_ours(api, monkeypatch):
    def fails(**kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(submission, "submit", fails)
    api.raise_request_exception = False
    answer = post(api)
    assert answer.status_code == 500
    assert answer["Content-Type"] == "application/problem+json"


def test_a_form_that_no_view_has_seen_is_503_without_a_database(admin_client):
    """A middleware asks who sends it."""
    admin_client.raise_request_exception = False

    def lost(execute, *args):
        raise OperationalError("server closed the connection unexpectedly")

    with connection.execute_wrapper(lost):
        answer = admin_client.post("/admin/login/", {"username": "w" * 10_000})
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    assert answer["Content-Type"] == "application/problem+json"
