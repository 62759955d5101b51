import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from merchants.models import NormalizationRequest, Resolution, Waiter
from merchants.requests import admission, completion, submission, worker
from merchants.requests.heuristic_run import Answer
from merchants.requests.resolutions import attempts, claims
from pave.operations.cluster.worker_names import worker_name
from pave.operations.models import Tally
from tests.merchants.cluster import make_due, run_cluster
from tests.merchants.heuristics import FirstWord
from webhooks.models import Delivery, Event

pytestmark = [pytest.mark.django_db, pytest.mark.storage, pytest.mark.usefixtures("first_word")]


def try_three_times():
    """Make all attempts of what is due."""
    for _ in range(3):
        make_due()
        worker.resolve_due()


def test_a_request_is_answered(submit):
    request = submit("NETFLIX.COM 866")
    run_cluster()
    request.refresh_from_db()
    assert request.status == "completed"
    assert request.resolution.answer["merchant"] == {
        "id": None,
        "name": "Netflix.Com",
        "website": None,
        "websites": {},
        "wikidata": None,
        "mcc": None,
        "category": None,
        "logo_url": None,
    }


def test_requests_with_one_key_share_one_run(submit):
    requests = [submit(f"NETFLIX {number}") for number in range(30)]
    run_cluster()
    assert FirstWord.runs == 1
    assert Resolution.objects.count() == 1
    assert NormalizationRequest.objects.filter(status="completed").count() == len(requests)


def test_what_is_known_completes_at_admission_without_a_run(submit):
    submit("NETFLIX 1")
    run_cluster()
    later = submit("NETFLIX 2")
    admission.admit_batch()
    later.refresh_from_db()
    assert later.status == "completed"
    assert FirstWord.runs == 1


@pytest.mark.parametrize("word", ["NETFLIX", "NEW"])
def test_admission_costs_the_same_number_of_statements_for_any_batch(submit, webhook, word):
    submit("NETFLIX 0")
    run_cluster()
    costs = []
    for size in (2, 60):
        for number in range(size):
            submit(f"{word} {number}")
        with CaptureQueriesContext(connection) as captured:
            assert admission.admit_batch() == size
        costs.append(len([one for one in captured if "pave_cache" not in one["sql"]]))
        if word != "NETFLIX":
            word += "ER"  # another resolution, for the second time to be the first
    assert costs[0] == costs[1] <= 28


def test_each_asker_is_told_by_one_event_with_its_own_id(submit, webhook):
    requests = [submit("NETFLIX 1"), submit("NETFLIX 2")]
    run_cluster()
    bodies = [json.loads(bytes(event.body)) for event in Event.objects.order_by("id")]
    assert [body["request_id"] for body in bodies] == [str(request.pk) for request in requests]
    assert all(body["merchant"] == {"name": "Netflix"} for body in bodies)
    assert all(body["type"] == "normalization.completed" for body in bodies)
    assert Delivery.objects.filter(status="pending", webhook=webhook).count() == 2


def test_the_event_holds_the_object_as_the_api_gives_it(submit, webhook, api):
    request = submit("NETFLIX 1", amount="5.00", reference="t-1")
    run_cluster()
    shown = api.get(f"/v1/normalizations/{request.pk}").json()
    deliveries = shown.pop("deliveries")
    assert json.loads(bytes(Event.objects.get().body))["data"] == shown
    assert deliveries == [
        {
            "id": str(Delivery.objects.get().pk),
            "webhook": str(webhook.pk),
            "status": "pending",
            "attempts": 0,
            "next_attempt_at": deliveries[0]["next_attempt_at"],
        }
    ]


def test_a_heuristic_that_raises_is_tried_three_times_and_then_fails(submit, webhook):
    request = submit("RAISE 1")
    admission.admit_batch()
    for attempt in (1, 2):
        worker.resolve_due()
        resolution = Resolution.objects.get()
        assert (resolution.status, resolution.attempts) == ("pending", attempt)
        assert resolution.waiters.get().due_at > timezone.now()
        make_due()
    worker.resolve_due()
    request.refresh_from_db()
    assert (request.status, request.error) == ("failed", "The heuristic failed: RuntimeError.")
    body = json.loads(bytes(Event.objects.get().body))
    assert (body["type"], body["merchant"]) == ("normalization.failed", None)
    assert body["data"]["error"] == request.error


def test_a_heuristic_that_hangs_is_cut_off(submit, settings):
    settings.PAVE_HEURISTIC_TIMEOUT = 0.2
    request = submit("HANG 1")
    admission.admit_batch()
    try_three_times()
    request.refresh_from_db()
    assert (request.status, request.error) == ("failed", "The heuristic took longer than 0.2 s.")


def test_who_waits_for_a_resolution_that_just_failed_fails_at_once_and_later_gets_new_tries(submit):
    submit("RAISE 1")
    admission.admit_batch()
    try_three_times()
    again = submit("RAISE 2")
    admission.admit_batch()
    again.refresh_from_db()
    assert again.status == "failed"
    Resolution.objects.update(finished_at=timezone.now() - timedelta(minutes=6))
    later = submit("RAISE 3")
    admission.admit_batch()
    later.refresh_from_db()
    assert (later.status, later.resolution.status, later.resolution.attempts) == (
        "processing",
        "pending",
        0,
    )


def test_what_failed_for_another_client_is_tried_with_ones_own_text(submit, stranger):
    mine = submit("RAISE 1")
    admission.admit_batch()
    try_three_times()
    theirs = submission.submit(client=stranger.client, fields={"description": "RAISE 2"})
    admission.admit_batch()
    theirs.refresh_from_db()
    mine.refresh_from_db()
    assert (theirs.status, theirs.resolution.attempts, mine.status) == ("processing", 0, "failed")
    try_three_times()
    again = submission.submit(client=stranger.client, fields={"description": "RAISE 3"})
    admission.admit_batch()
    again.refresh_from_db()
    assert again.status == "failed"


def test_the_attempt_of_a_dead_worker_is_handed_back_and_counted(submit):
    request = submit("NETFLIX 1")
    admission.admit_batch()
    claims.claim(worker="host/1/2")
    attempts.requeue(worker="host/1/")
    resolution = Resolution.objects.get()
    assert (resolution.status, resolution.attempts) == ("pending", 1)
    make_due()
    worker.resolve_due()
    request.refresh_from_db()
    assert request.status == "completed"


def test_a_resolution_that_kills_its_worker_every_time_fails_in_the_end(submit):
    request = submit("NETFLIX 1")
    admission.admit_batch()
    for _ in range(attempts.MAX_ABANDONED):
        make_due()
        assert claims.claim(worker="host/1/2")
        attempts.sweep(now=timezone.now() + timedelta(hours=1))
    request.refresh_from_db()
    assert request.status == "failed"


def test_an_answer_that_comes_after_the_lease_changes_nothing(submit):
    submit("NETFLIX 1")
    admission.admit_batch()
    [late] = [claim.resolution for claim in claims.claim(worker="host/1/2")]
    attempts.requeue(worker="host/1/2")
    make_due()
    [claim] = claims.claim(worker=worker_name())
    now, answer = claim.resolution, Answer(FirstWord().match(claim.transaction), 1)
    assert attempts.finish([(late, answer)]) == 0
    assert attempts.finish([(now, answer)]) == 1


def test_a_long_shared_key_is_kept_as_its_hash(submit):
    submit("x" * 400)
    run_cluster()
    assert Resolution.objects.get().key.startswith("sha256:")


def test_a_request_that_is_admitted_anew_is_counted_once(submit):
    submit("NETFLIX 1")
    admission.admit_batch()
    Waiter.objects.all().delete()
    completion.readmit(NormalizationRequest.objects.all())
    run_cluster()
    assert NormalizationRequest.objects.get().status == "completed"
    queued = Tally.objects.filter(name="requests", label="queued")
    assert sum(queued.values_list("count", flat=True)) == 1
