import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from merchants.api import backpressure
from merchants.models import NormalizationRequest, Waiter
from merchants.requests import admission, worker
from pave.api.exceptions import Overloaded
from tests.factories import ClientFactory, NormalizationRequestFactory, WaiterFactory
from tests.servers import ON_SQLITE

pytestmark = pytest.mark.django_db
DEPTH = backpressure.depth
# Long enough for whatever is no wait.
PROMPT_SECONDS = 10


@pytest.fixture(autouse=True)
def looks_each_time(monkeypatch):
    monkeypatch.setattr(backpressure, "LOOK_EVERY", -1)
    monkeypatch.setattr(backpressure, "depth", DEPTH)


@pytest.fixture
def one_look(monkeypatch):
    """Whatever a test does, it ends before another look is due."""
    monkeypatch.setattr(backpressure, "LOOK_EVERY", 1000)


def post(api, description="NETFLIX"):
    return api.post("/v1/normalizations", {"description": description}, format="json")


def test_with_too_many_waiting_for_admission_a_submit_gets_503(api, client_1234, settings):
    settings.PAVE_CLIENT_QUEUE_DEPTH = 2
    assert post(api).status_code == 202
    assert post(api).status_code == 202
    NormalizationRequestFactory(client=client_1234.client)
    answer = post(api)
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    assert answer["Content-Type"] == "application/problem+json"


def test_with_too_many_waiting_for_the_heuristic_too(api, client_1234, settings):
    settings.PAVE_CLIENT_QUEUE_DEPTH = 1
    WaiterFactory.create_batch(2, client=client_1234.client)
    assert post(api).status_code == 503


def test_a_batch_is_refused_as_well(api, client_1234, settings):
    settings.PAVE_CLIENT_QUEUE_DEPTH = 1
    WaiterFactory.create_batch(2, client=client_1234.client)
    body = {"transactions": [{"description": "NETFLIX"}]}
    assert api.post("/v1/batches", body, format="json").status_code == 503


def test_what_others_have_waiting_refuses_nobody_else(api, stranger, settings):
    settings.PAVE_CLIENT_QUEUE_DEPTH = 1
    WaiterFactory.create_batch(3, client=stranger.client)
    assert post(api).status_code == 202
    assert post(stranger.api).status_code == 503


def test_above_the_depth_of_all_those_with_most_are_refused(api, client_1234, stranger, settings):
    settings.PAVE_MAX_QUEUE_DEPTH = 4
    WaiterFactory.create_batch(4, client=stranger.client)
    WaiterFactory(client=client_1234.client)
    assert post(stranger.api).status_code == 503
    assert post(api).status_code == 202


def test_one_whose_answer_is_there_is_always_taken(api, client_1234, settings):
    post(api, "ATM WITHDRAWAL 004412")
    while admission.admit_batch() or worker.resolve_due():
        pass
    settings.PAVE_CLIENT_QUEUE_DEPTH = 0
    WaiterFactory(client=client_1234.client)
    assert post(api, "ATM WITHDRAWAL 990017").status_code == 202
    assert post(api, "SOMETHING NEW").status_code == 503
    assert NormalizationRequest.objects.filter(description="SOMETHING NEW").count() == 0


def test_one_with_a_card_number_is_known_by_what_is_kept_of_it(api, client_1234, settings):
    post(api, "ATM WITHDRAWAL 4111111111111111 MAIN ST")
    while admission.admit_batch() or worker.resolve_due():
        pass
    settings.PAVE_CLIENT_QUEUE_DEPTH = 0
    WaiterFactory(client=client_1234.client)
    assert post(api, "ATM WITHDRAWAL 4111111111111111 MAIN ST").status_code == 202


def test_reading_goes_on(api, client_1234, settings):
    settings.PAVE_CLIENT_QUEUE_DEPTH = 1
    WaiterFactory.create_batch(2, client=client_1234.client)
    assert api.get("/v1/normalizations").status_code == 200


def test_between_two_looks_a_submit_pays_nothing(api, one_look):
    assert post(api).status_code == 202
    with CaptureQueriesContext(
        connection,
    ) as sent:
        assert post(api).status_code == 202
    assert not counts(sent)


def counts(sent):
    """Return the statements that count rows of the queues."""
    statements = [query["sql"] for query in sent]
    return [sql for sql in statements if "COUNT(" in sql and "merchants_" in sql]


def test_what_all_have_waiting_is_counted_once_for_all_clients(one_look, settings):
    settings.PAVE_MAX_QUEUE_DEPTH = 30
    fullest = ClientFactory()
    WaiterFactory.create_batch(20, client=fullest)
    clients = ClientFactory.create_batch(19)
    for client in clients:
        WaiterFactory(client=client)
    clients += ClientFactory.create_batch(10)
    with CaptureQueriesContext(connection) as sent:
        for client in clients:
            backpressure.refuse_if_full(client)
        with pytest.raises(Overloaded):
            backpressure.refuse_if_full(fullest)
    of_one = [sql for sql in counts(sent) if '"client_id" =' in sql]
    assert len(of_one) == 2 * (len(clients) + 1)  # two queues
    assert len(counts(sent)) - len(of_one) == 2
    assert len([query for query in sent if "RECURSIVE" in query["sql"]]) == 2
    assert len(sent) == len(counts(sent)) + 2


def test_who_has_nothing_waiting_has_nobody_counted(api, one_look, settings):
    settings.PAVE_MAX_QUEUE_DEPTH = 1
    WaiterFactory.create_batch(3)
    with CaptureQueriesContext(connection) as sent:
        assert post(api).status_code == 202
    assert len(counts(sent)) == 2
    assert all("client_id" in sql for sql in counts(sent))


@pytest.mark.skipif(ON_SQLITE, reason="There a table is not locked by itself.")
@pytest.mark.django_db(transaction=True)
def test_while_a_count_takes_long_the_clients_other_posts_go_on(api, one_look):
    def post_and_close():
        try:
            return post(api).status_code
        finally:
            connection.close()

    table = connection.ops.quote_name(Waiter._meta.db_table)
    other = connection.copy()
    with ThreadPoolExecutor(17) as pool:
        try:
            with other.cursor() as cursor:
                cursor.execute(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            posts = [pool.submit(post_and_close) for _ in range(17)]
            # All but the one that counts.
            done = threading.Semaphore(0)
            for future in posts:
                future.add_done_callback(lambda _: done.release())
            for _ in range(16):
                assert done.acquire(timeout=PROMPT_SECONDS)
            assert not done.acquire(blocking=False)
        finally:
            other.close()
        assert [future.result(PROMPT_SECONDS) for future in posts] == [202] * 17


def test_while_one_thread_looks_the_others_go_by_what_was_seen_before():
    seen = backpressure.Seen("nothing")
    assert seen.value(lambda: "little") == "little"
    looking, go_on = threading.Event(), threading.Event()
    looks = []

    def look():
        looks.append("look")
        looking.set()
        assert go_on.wait(PROMPT_SECONDS)
        return "much"

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(seen.value, look)
        assert looking.wait(PROMPT_SECONDS)
        assert [seen.value(look) for _ in range(16)] == ["little"] * 16
        go_on.set()
        assert first.result(PROMPT_SECONDS) == "much"
    assert len(looks) == 1


def test_a_look_that_fails_is_taken_again():
    seen = backpressure.Seen("nothing")
    with pytest.raises(ZeroDivisionError):
        seen.value(lambda: 1 // 0)
    assert seen.value(lambda: "little") == "little"
