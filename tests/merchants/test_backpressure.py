import pytest

from merchants import backpressure
from tests.factories import NormalizationRequestFactory, ResolutionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def looks_each_time(monkeypatch):
    monkeypatch.setattr(backpressure, "LOOK_EVERY", -1)
    monkeypatch.setattr(backpressure, "_full", False)


def post(api):
    return api.post("/v1/normalizations", {"description": "NETFLIX"}, format="json")


def test_with_too_many_waiting_for_admission_a_submit_gets_503(api, settings):
    settings.PAVE_MAX_QUEUE_DEPTH = 2
    assert post(api).status_code == 202
    assert post(api).status_code == 202
    NormalizationRequestFactory()
    answer = post(api)
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    assert answer["Content-Type"] == "application/problem+json"


def test_with_too_many_questions_waiting_too(api, settings):
    settings.PAVE_MAX_QUEUE_DEPTH = 1
    ResolutionFactory.create_batch(2)
    assert post(api).status_code == 503


def test_a_batch_is_refused_as_well(api, settings):
    settings.PAVE_MAX_QUEUE_DEPTH = 1
    ResolutionFactory.create_batch(2)
    body = {"transactions": [{"description": "NETFLIX"}]}
    assert api.post("/v1/batches", body, format="json").status_code == 503


def test_reading_goes_on(api, settings):
    settings.PAVE_MAX_QUEUE_DEPTH = 1
    ResolutionFactory.create_batch(2)
    assert api.get("/v1/normalizations").status_code == 200


def test_between_two_looks_a_submit_pays_nothing(api, monkeypatch):
    monkeypatch.setattr(backpressure, "LOOK_EVERY", 1000)
    monkeypatch.setattr(backpressure, "_looked_at", backpressure.time.monotonic())
    monkeypatch.setattr(backpressure, "is_full", lambda: pytest.fail("looked"))
    assert post(api).status_code == 202
