import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections
from rest_framework.test import APIClient

from merchants.catalogue.rulesets import heuristic_for
from merchants.models import NormalizationRequest
from merchants.requests import admission, submission
from merchants.requests.heuristic_run import Answer
from merchants.requests.resolutions import attempts, claims
from pave.api.models import IdempotencyKey
from pave.api.prefer_wait import Watcher, preferred_seconds

BODY = {"description": "NETFLIX.COM"}


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=3", 3),
        ("WAIT = 3", 3),
        ("respond-async, wait=5", 5),
        ('wait="4";x=1', 4),
        ("wait=600", 10),
        ("wait=99999999999999999999", 10),
        ("wait=0", 0),
        ("wait=-1", 0),
        ("wait=ten", 0),
        ("wait", 0),
        ("handling=lenient", 0),
        ("await=3", 0),
        ("", 0),
    ],
)
def test_the_preference_is_read_and_what_is_none_ignored(rf, header, seconds):
    assert preferred_seconds(rf.get("/", HTTP_PREFER=header)) == seconds


@pytest.mark.django_db(transaction=True)
class TestWaiting:
    @pytest.fixture(autouse=True)
    def heuristic(self, settings):
        settings.PAVE_HEURISTIC = "tests.merchants.heuristics.FirstWord"

    def test_a_result_that_is_there_in_time_is_the_answer(self, api):
        worker = threading.Thread(target=_answer_one)
        worker.start()
        response = api.post("/v1/normalizations", BODY, format="json", HTTP_PREFER="wait=9")
        worker.join()
        assert response.status_code == 200
        assert response["preference-applied"] == "wait=9"
        body = response.json()
        assert (body["status"], body["merchant"]["name"]) == ("completed", "Netflix.Com")
        assert api.get(response["location"]).json() == body

    def test_one_that_is_not_is_202(self, api):
        begun = time.monotonic()
        response = api.post("/v1/normalizations", BODY, format="json", HTTP_PREFER="wait=1")
        assert 1 <= time.monotonic() - begun < 3
        assert response.status_code == 202
        assert response["preference-applied"] == "wait=1"
        assert response.json()["status"] == "queued"

    def test_beyond_the_bound_the_answer_comes_at_once(self, api, settings):
        settings.PAVE_MAX_WAITING = 0
        begun = time.monotonic()
        response = api.post("/v1/normalizations", BODY, format="json", HTTP_PREFER="wait=9")
        assert time.monotonic() - begun < 2
        assert response.status_code == 202
        assert "preference-applied" not in response

    def test_the_answer_after_waiting_is_what_is_replayed(self, client_1234):
        worker = threading.Thread(target=_answer_one)
        worker.start()
        headers = {"HTTP_PREFER": "wait=9", "HTTP_IDEMPOTENCY_KEY": "k"}
        api = APIClient(HTTP_AUTHORIZATION=f"Api-Key {client_1234.key}", **headers)
        first = api.post("/v1/normalizations", BODY, format="json")
        worker.join()
        again = api.post("/v1/normalizations", BODY, format="json")
        assert first.status_code == 200
        assert (again.status_code, again.content) == (200, first.content)
        assert again["idempotency-replayed"] == "true"

    def test_a_repeat_does_not_wait_for_who_waits(self, client_1234):
        def send(**headers):
            api = APIClient(HTTP_AUTHORIZATION=f"Api-Key {client_1234.key}", **headers)
            try:
                return api.post("/v1/normalizations", BODY, format="json", HTTP_IDEMPOTENCY_KEY="k")
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(send, HTTP_PREFER="wait=10")
            while not (stored := IdempotencyKey.objects.first()):
                assert not first.done()
            repeated = send()
            assert not first.done()
            assert repeated.status_code == 202
            assert repeated["idempotency-replayed"] == "true"
            _answer_one()
            assert first.result(10).json()["request_id"] == repeated.json()["request_id"]
        assert bytes(stored.body) != bytes(IdempotencyKey.objects.get().body)

    def test_who_waits_holds_no_connection(self, api, client_1234):
        taken = submission.submit(client=client_1234.client, fields=BODY)
        mine = connections["default"]
        held = []
        watcher = Watcher(lambda ids: held.append(mine.connection) or ids)
        assert mine.connection is not None
        assert watcher.wait(taken.pk, 5, client=1) is True
        assert held == [None]


def test_the_watching_thread_ends_with_the_last_who_waits():
    watcher = Watcher(lambda ids: ids)
    watcher.wait("subject", 2, client=1)
    end = time.monotonic() + 5
    while watcher._thread is not None:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_client_has_half_of_the_places(settings):
    settings.PAVE_MAX_WAITING = 4
    answered = threading.Event()
    watcher = Watcher(lambda ids: ids if answered.is_set() else ())
    with ThreadPoolExecutor() as pool:
        waits = [pool.submit(watcher.wait, number, 20, client=1) for number in range(2)]
        while len(watcher._waiting) < 2:
            time.sleep(0.01)
        assert watcher.wait("one more", 20, client=1) is None
        waits.append(pool.submit(watcher.wait, "another client's", 20, client=2))
        answered.set()
        assert [wait.result() for wait in waits] == [True] * 3


def test_a_look_that_fails_leaves_them_waiting():
    watcher = Watcher(lambda ids: 1 / 0)
    assert watcher.wait("subject", 0.2, client=1) is False


def _answer_one():
    """Do what the cluster does, until there is one answer."""
    try:
        end = time.monotonic() + 8
        while not NormalizationRequest.objects.filter(status="completed").exists():
            assert time.monotonic() < end
            admission.admit_batch()
            while claimed := claims.claim(worker="test"):
                # No alarm outside the main thread.
                attempts.finish([(one.resolution, Answer(_match(one), 1)) for one in claimed])
            time.sleep(0.02)
    finally:
        connection.close()


def _match(claim):
    return heuristic_for(claim.resolution.ruleset_id).match(claim.transaction)
