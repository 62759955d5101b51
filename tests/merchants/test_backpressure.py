import pytest

from merchants import backpressure, normalization, working
from merchants.models import NormalizationRequest
from tests.factories import ClientFactory, NormalizationRequestFactory, WaiterFactory

pytestmark = pytest.mark.django_db
LOOK = backpressure.look


@pytest.fixture(autouse=True)
def looks_each_time(monkeypatch):
    monkeypatch.setattr(backpressure, "LOOK_EVERY", -1)
    monkeypatch.setattr(backpressure, "look", LOOK)


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
    while normalization.admit_batch() or working.resolve_due():
        pass
    settings.PAVE_CLIENT_QUEUE_DEPTH = 0
    WaiterFactory(client=client_1234.client)
    assert post(api, "ATM WITHDRAWAL 990017").status_code == 202
    assert post(api, "SOMETHING NEW").status_code == 503
    assert NormalizationRequest.objects.filter(description="SOMETHING NEW").count() == 0


def test_one_with_a_card_number_is_known_by_what_is_kept_of_it(api, client_1234, settings):
    post(api, "ATM WITHDRAWAL 4111111111111111 MAIN ST")
    while normalization.admit_batch() or working.resolve_due():
        pass
    settings.PAVE_CLIENT_QUEUE_DEPTH = 0
    WaiterFactory(client=client_1234.client)
    assert post(api, "ATM WITHDRAWAL 4111111111111111 MAIN ST").status_code == 202


def test_reading_goes_on(api, client_1234, settings):
    settings.PAVE_CLIENT_QUEUE_DEPTH = 1
    WaiterFactory.create_batch(2, client=client_1234.client)
    assert api.get("/v1/normalizations").status_code == 200


def test_between_two_looks_a_submit_pays_nothing(api, monkeypatch):
    monkeypatch.setattr(backpressure, "LOOK_EVERY", 1000)
    assert post(api).status_code == 202
    monkeypatch.setattr(backpressure, "look", lambda client: pytest.fail("looked"))
    assert post(api).status_code == 202


def test_the_depth_of_all_is_looked_at_once_for_many_clients(
    django_assert_num_queries, monkeypatch
):
    clients = ClientFactory.create_batch(20)
    monkeypatch.setattr(backpressure, "LOOK_EVERY", 60)
    LOOK(clients[0])
    with django_assert_num_queries(2 * (len(clients) - 1)):
        for client in clients[1:]:
            LOOK(client)
