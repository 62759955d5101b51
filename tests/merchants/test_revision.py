import json
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from merchants.catalogue import draft, feedback, rulesets
from merchants.catalogue.preview import preview
from merchants.models import (
    Alias,
    Merchant,
    NormalizationRequest,
    Resolution,
    Revision,
    Rule,
    Ruleset,
)
from merchants.requests import admission, cancellation, revision, submission, worker
from merchants.requests.heuristic_run import Answer
from merchants.requests.resolutions import attempts, claims
from merchants.requests.resolutions.keys import ALONE, key_of
from tests.merchants.cluster import run_cluster
from webhooks.models import Event

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

COFFEE = "SQ *BLUE BOTTLE COFFEE OAKLAND CA"


@pytest.fixture
def netflix():
    return Merchant.objects.create(name="Netflix", website="netflix.com")


@pytest.fixture
def submit(client_1234):
    def submit(description):
        return submission.submit(client=client_1234.client, fields={"description": description})

    return submit


@pytest.fixture
def answered(submit, netflix, webhook):
    """Answer three requests with the first ruleset: Netflix twice, and a coffee shop."""
    rulesets.publish(note="first", by="test")
    run_revision()
    requests = [submit("NETFLIX.COM 866-579-7172 CA"), submit("NETFLIX.COM"), submit(COFFEE)]
    run_cluster()
    return requests


def run_revision():
    while revision.revise():
        pass


def name_of(request):
    request.refresh_from_db()
    return request.resolution.answer["merchant"]["name"]


def updates():
    return [
        json.loads(bytes(event.body))
        for event in Event.objects.filter(type="normalization.updated").order_by("id")
    ]


def test_the_draft_does_not_answer_before_it_is_published(submit, netflix):
    request = submit("NETFLIX.COM")
    run_cluster()
    request.refresh_from_db()
    assert request.resolution.answer["merchant"]["id"] is None


def test_a_published_rule_answers_and_counts_its_hits(answered, submit, netflix):
    rule = Rule.objects.create(kind="prefix", pattern="blue bottle", merchant=netflix)
    rulesets.publish(note="a rule", by="test")
    request = submit(COFFEE)
    run_cluster()
    request.refresh_from_db()
    assert request.resolution.answer["match"]["method"] == "rule"
    assert request.resolution.answer["match"]["rule"] == str(rule.pk)
    rule.refresh_from_db()
    assert rule.hits == 1


def test_publishing_asks_nothing_anew_that_it_cannot_affect(answered, submit, netflix):
    Rule.objects.create(kind="prefix", pattern="something else", merchant=netflix)
    rulesets.publish(note="a rule", by="test")
    run_revision()
    before = Resolution.objects.count()
    again = submit(COFFEE)
    admission.admit_batch()
    again.refresh_from_db()
    assert again.status == "completed"
    assert Resolution.objects.count() == before
    assert updates() == []


def test_only_requests_whose_answer_changes_are_told(answered, webhook, netflix):
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=netflix)
    rulesets.publish(note="a rule", by="test")
    run_revision()
    assert [name_of(request) for request in answered] == ["Netflix"] * 3
    (told,) = updates()
    assert told["request_id"] == str(answered[2].pk)
    assert told["merchant"] == {"name": "Netflix"}
    assert told["data"]["match"]["method"] == "rule"
    row = Revision.objects.get(ruleset=rulesets.current())
    assert (row.status, row.examined, row.changed) == ("done", 3, 1)


def test_a_revision_that_is_repeated_tells_nobody_twice(answered, webhook, netflix):
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=netflix)
    rulesets.publish(note="a rule", by="test")
    run_revision()
    latest = Revision.objects.filter(ruleset=rulesets.current())
    latest.update(status="running", position=None)
    run_revision()
    assert len(updates()) == 1


def test_a_revision_goes_on_where_a_dead_worker_ended(answered, webhook, netflix):
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=netflix)
    rulesets.publish(note="a rule", by="test")
    Revision.objects.filter(status="running").update(
        claimed_by="host/1/2", lease_expires_at=timezone.now() + timedelta(hours=1)
    )
    run_revision()
    assert updates() == []
    revision.requeue(worker="host/1/")
    run_revision()
    assert len(updates()) == 1


def test_requests_older_than_the_retention_time_are_left_alone(answered, webhook, netflix):
    NormalizationRequest.objects.update(created_at=timezone.now() - timedelta(days=100))
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=netflix)
    rulesets.publish(note="a rule", by="test")
    run_revision()
    assert updates() == []


def test_going_back_gives_the_old_answers_again(answered, webhook, netflix):
    first = rulesets.current()
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=netflix)
    rulesets.publish(note="a mistake", by="test")
    run_revision()
    back = rulesets.roll_back(to=Ruleset.objects.get(pk=first.pk), by="test")
    run_revision()
    assert back.restores == first
    assert name_of(answered[2]) == "Blue Bottle Coffee"
    assert len(updates()) == 2


def test_publishing_without_a_change_makes_no_ruleset(answered):
    before = rulesets.current()
    assert rulesets.publish(note="nothing", by="test") == before


def test_an_added_alias_reaches_earlier_requests(answered, webhook):
    shop = Merchant.objects.create(name="Blue Bottle")
    Alias.objects.create(merchant=shop, text="BLUE BOTTLE COFFEE")
    rulesets.publish(note="an alias", by="test")
    run_revision()
    answered[2].refresh_from_db()
    assert answered[2].resolution.answer["merchant"]["id"] == str(shop.pk)
    assert len(updates()) == 1


def test_the_preview_says_what_publishing_would_change(answered, netflix):
    shop = Merchant.objects.create(name="Blue Bottle")
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=shop)
    seen = preview()
    assert (seen.gained, seen.lost, seen.changed) == (1, 0, 0)
    (example,) = draft.examples_of(seen)["gained"]
    assert (example.description, example.before, example.after) == (
        COFFEE,
        "Blue Bottle Coffee",
        "Blue Bottle",
    )
    netflix.active = False
    netflix.save()
    assert preview().lost == 2


def test_accepted_feedback_changes_the_answer_once_published(answered, webhook):
    shop = Merchant.objects.create(name="Blue Bottle Roasters")
    given = feedback.give(request=answered[2], merchant="Blue Bottle Roasters")
    assert feedback.likely_merchant(given) == shop
    feedback.accept(feedback=given, merchant=shop, by="ann")
    assert preview().right_before == 0
    assert preview().right_after == 1
    rulesets.publish(note="feedback", by="ann")
    run_revision()
    assert name_of(answered[2]) == "Blue Bottle Roasters"


def test_feedback_that_there_is_no_merchant_becomes_a_rule(answered, webhook):
    given = feedback.give(request=answered[2], merchant="n/a")
    rule = feedback.accept(feedback=given, merchant=None, by="ann")
    assert (rule.kind, rule.merchant) == ("exact", None)
    rulesets.publish(note="feedback", by="ann")
    run_revision()
    assert name_of(answered[2]) == "n/a"


def test_feedback_is_decided_on_once(answered):
    given = feedback.give(request=answered[2], merchant="X")
    feedback.reject(feedback=given, by="ann")
    with pytest.raises(feedback.NotOpen):
        feedback.accept(feedback=given, merchant=None, by="bob")


def test_who_waits_while_a_ruleset_is_published_gets_the_new_answer(submit, netflix, webhook):
    rulesets.publish(note="first", by="test")
    run_revision()
    request = submit(COFFEE)
    admission.admit_batch()
    [claim] = claims.claim(worker="w")  # the heuristic has begun, with the old ruleset
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=netflix)
    rulesets.publish(note="second", by="test")
    run_revision()
    match = rulesets.heuristic_for(claim.resolution.ruleset_id).match(claim.transaction)
    attempts.finish([(claim.resolution, Answer(match, 1))])
    run_cluster()
    assert name_of(request) == "Netflix"
    assert [event.type for event in Event.objects.all()] == ["normalization.completed"]


def test_what_has_not_begun_when_a_ruleset_is_published_is_never_run_with_the_old_one(
    submit, netflix
):
    rulesets.publish(note="first", by="test")
    request = submit(COFFEE)
    admission.admit_batch()
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=netflix)
    newest = rulesets.publish(note="second", by="test")
    assert worker.resolve_due() == 0  # it is to be admitted anew
    run_cluster()
    assert name_of(request) == "Netflix"
    assert set(Resolution.objects.values_list("ruleset", flat=True)) == {newest.number}


def test_a_batch_that_asked_for_one_message_gets_one_for_its_corrections(api, netflix, webhook):
    rulesets.publish(note="first", by="test")
    run_revision()
    rows = [{"description": f"{COFFEE} {number}"} for number in range(20)]
    body = {"transactions": rows, "deliver": "batch"}
    batch = api.post("/v1/batches", body, format="json").json()
    run_cluster()
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=netflix)
    rulesets.publish(note="second", by="test")
    run_revision()
    told = [json.loads(bytes(event.body)) for event in Event.objects.order_by("id")]
    assert [body["type"] for body in told] == ["batch.completed", "batch.updated"]
    assert told[1]["data"]["id"] == batch["id"]
    assert told[1]["data"]["counts"]["corrected"] == 20
    run_revision()
    assert Event.objects.count() == 2


def test_a_row_that_is_corrected_again_counts_once(api, netflix, webhook):
    rulesets.publish(note="first", by="test")
    rows = [{"description": COFFEE}, {"description": "NETFLIX.COM"}, {"description": "X9 Y8"}]
    batch = api.post("/v1/batches", {"transactions": rows}, format="json").json()
    run_cluster()
    for number in range(3):
        netflix.website = f"https://{number}.example"
        netflix.save()
        rulesets.publish(note=f"site {number}", by="test")
        run_revision()
    told = [
        json.loads(bytes(event.body))["data"]["counts"]["corrected"]
        for event in Event.objects.filter(type="batch.updated").order_by("id")
    ]
    assert told == [1, 1, 1]
    assert api.get(f"/v1/batches/{batch['id']}").json()["counts"]["corrected"] == 1


def facts_of(api, text):
    path = api.post("/v1/normalizations", {"description": text}, format="json")["location"]
    run_cluster()
    merchant = api.get(path).json()["merchant"]
    return merchant["name"], merchant["website"], merchant["mcc"], merchant["category"]


def test_the_draft_answers_nothing_and_a_roll_back_undoes_all(api, netflix):
    Merchant.objects.filter(pk=netflix.pk).update(website="https://good.example", mccs=["5815"])
    first = rulesets.publish(note="good", by="test")
    good = facts_of(api, "NETFLIX.COM")
    assert good[1:3] == ("https://good.example", "5815")
    Merchant.objects.filter(pk=netflix.pk).update(
        website="https://wrong.example", mccs=["4899"], category="travel_flights"
    )
    assert facts_of(api, "NETFLIX.COM") == good
    assert facts_of(api, "PAYPAL *NETFLIX.COM") == good
    rulesets.publish(note="wrong", by="test")
    run_revision()
    assert facts_of(api, "NETFLIX.COM")[1:3] == ("https://wrong.example", "4899")
    rulesets.roll_back(to=first, by="test")
    run_revision()
    assert facts_of(api, "NETFLIX.COM") == good
    told = NormalizationRequest.objects.filter(description="NETFLIX.COM")
    answers = told.values_list("resolution__answer", flat=True)
    assert {answer["merchant"]["mcc"] for answer in answers} == {"5815"}


def test_a_rule_that_does_not_count_is_no_answer_to_feedback(answered, netflix):
    """An inactive rule, or one with a condition, does not do what was agreed to."""
    text = answered[2].own_reading.descriptor
    for fields in ({"active": False}, {"mcc": "5411"}):
        Rule.objects.create(kind="exact", pattern=text, merchant=None, **fields)
    given = feedback.give(request=answered[2], merchant="n/a")
    rule = feedback.accept(feedback=given, merchant=None, by="staff")
    assert (rule.active, rule.mcc) == (True, "")


def test_a_failure_that_was_opened_again_holds_nobody_up_once_a_ruleset_is_published(
    submit, netflix
):
    rulesets.publish(note="first", by="test")
    failed = submit(COFFEE)
    admission.admit_batch()
    resolution = Resolution.objects.get()
    NormalizationRequest.objects.update(status="failed", completed_at=timezone.now())
    Resolution.objects.update(status="failed", finished_at=timezone.now() - timedelta(minutes=6))
    resolution.waiters.all().delete()
    again = submit(COFFEE)
    admission.admit_batch()
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=netflix)
    rulesets.publish(note="second", by="test")
    worker.resolve_due()
    run_cluster()
    assert name_of(again) == "Netflix"
    failed.refresh_from_db()
    assert (failed.status, failed.resolution) == ("failed", resolution)


def test_many_rulesets_later_an_answer_still_counts_unless_one_of_them_changed_it(
    answered, submit, netflix, monkeypatch
):
    for number in range(1, 16):
        pattern = "blue bottle" if number == 7 else f"something else {number}"
        Rule.objects.create(kind="prefix", pattern=pattern, merchant=netflix)
        rulesets.publish(note=f"rule {number}", by="test")
    rulesets.heuristic_for(rulesets.current().number)
    unpacked = []
    monkeypatch.setattr(rulesets, "_stored_content", unpacked.append)
    runs = Resolution.objects.count()
    known, changed = submit("NETFLIX.COM"), submit(COFFEE)
    admission.admit_batch()
    for request in (known, changed):
        request.refresh_from_db()
    assert (known.status, changed.status) == ("completed", "processing")
    assert Resolution.objects.count() == runs + 1
    assert unpacked == []


def test_what_was_changed_long_ago_is_known_again_once_it_is_answered(answered, submit, netflix):
    """The newest answer counts, and not the one from before the change."""
    Alias.objects.create(merchant=netflix, text="QYC9 STREAMING")
    rulesets.publish(note="netflix", by="test")
    submit("NETFLIX.COM")
    run_cluster()
    Merchant.objects.create(name="Zalando")
    rulesets.publish(note="another", by="test")
    resolutions = Resolution.objects.count()
    known = submit("NETFLIX.COM")
    admission.admit_batch()
    known.refresh_from_db()
    assert known.status == "completed"
    assert Resolution.objects.count() == resolutions


def test_a_ruleset_of_a_release_that_wrote_no_changes_down_is_compared_with_the_one_before(
    answered, submit, netflix
):
    Rule.objects.create(kind="prefix", pattern="blue bottle", merchant=netflix)
    rulesets.publish(note="a rule", by="test")
    Ruleset.objects.update(changed=None)
    known, changed = submit("NETFLIX.COM"), submit(COFFEE)
    admission.admit_batch()
    for request in (known, changed):
        request.refresh_from_db()
    assert (known.status, changed.status) == ("completed", "processing")


def test_a_revision_gets_its_answer_though_a_request_with_the_same_resolution_is_canceled(
    answered, submit, netflix, monkeypatch
):
    Rule.objects.create(kind="prefix", pattern="blue bottle", merchant=netflix)
    rulesets.publish(note="a rule", by="test")
    same = submit(COFFEE)
    admission.admit_batch()  # it waits, before the revision does
    claim = claims.claim

    def claim_after_the_cancel(**arguments):
        if NormalizationRequest.objects.filter(pk=same.pk).unfinished().exists():
            cancellation.cancel(request=same)
        return claim(**arguments)

    monkeypatch.setattr(revision, "claim", claim_after_the_cancel)
    run_revision()
    assert same.status == "canceled"
    assert name_of(answered[2]) == "Netflix"


def test_a_rule_reaches_requests_whose_city_stands_in_its_field_only(
    answered, netflix, client_1234
):
    fields = {"description": "QUIMBLE ZORB ZZYXVILLE", "city": "Zzyxville"}
    request = submission.submit(client=client_1234.client, fields=fields)
    run_cluster()
    given = feedback.give(request=request, merchant="Netflix", comment="")
    rule = feedback.accept(feedback=given, merchant=None, by="test")
    assert rule.pattern == "QUIMBLE ZORB"
    rulesets.publish(note="a rule", by="test")
    run_revision()
    assert name_of(request) == "n/a"


def test_a_request_that_cannot_be_read_any_more_holds_up_no_revision(
    answered, netflix, monkeypatch
):
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=netflix)
    Rule.objects.create(kind="contains", pattern="netflix")
    rulesets.publish(note="rules", by="test")
    key_of = revision.key_of

    def refuses_one(request, *arguments):
        if request.pk == answered[1].pk:
            raise ValueError
        return key_of(request, *arguments)

    monkeypatch.setattr(revision, "key_of", refuses_one)
    run_revision()
    assert [name_of(request) for request in answered] == ["n/a", "Netflix", "Netflix"]


def test_a_revision_of_slow_resolutions_ends_its_turn_and_goes_on(answered, netflix, monkeypatch):
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=netflix)
    Rule.objects.create(kind="contains", pattern="netflix")
    rulesets.publish(note="rules", by="test")
    work = worker.work

    def slow(claimed):
        monkeypatch.setattr(revision, "SLICE_SECONDS", 0.0)
        time.sleep(0.3)
        return work(claimed)

    monkeypatch.setattr(revision, "SLICE_SECONDS", 0.2)
    monkeypatch.setattr(worker, "work", slow)
    assert revision.revise() == 0
    row = Revision.objects.get(status="running")
    assert (row.changed, row.lease_expires_at) == (1, None)
    monkeypatch.setattr(revision, "SLICE_SECONDS", 10.0)
    monkeypatch.setattr(worker, "work", work)
    run_revision()
    assert [name_of(request) for request in answered] == ["n/a", "n/a", "Netflix"]
    row.refresh_from_db()
    assert (row.status, row.changed) == ("done", 3)


def test_a_revision_that_was_overtaken_changes_nothing_any_more(
    answered, netflix, webhook, monkeypatch
):
    first = rulesets.current()
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=netflix)
    rulesets.publish(note="a mistake", by="test")
    work_out = revision._resolved

    def slowly(*args):
        monkeypatch.undo()
        answer = work_out(*args)
        rulesets.roll_back(to=first, by="test")
        return answer

    monkeypatch.setattr(revision, "_resolved", slowly)
    run_revision()
    assert name_of(answered[2]) == "Blue Bottle Coffee"
    assert updates() == []


def test_what_an_overtaken_revision_had_corrected_is_told(api, netflix, webhook, monkeypatch):
    rulesets.publish(note="first", by="test")
    api.post("/v1/batches", {"transactions": [{"description": COFFEE}]}, format="json")
    run_cluster()
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=netflix)
    rulesets.publish(note="a rule", by="test")
    monkeypatch.setattr(revision, "_finish", lambda row: None)
    revision.revise()
    assert not Event.objects.filter(type="batch.updated").exists()
    Revision.objects.update(status="done")  # by a newer one that changed nothing here
    revision.sweep()
    assert Event.objects.filter(type="batch.updated").count() == 1


def test_a_corrected_category_or_website_is_told(answered, netflix, webhook):
    netflix.category, netflix.website = "entertainment_video", "https://new.example"
    netflix.save()
    rulesets.publish(note="what it sells", by="test")
    run_revision()
    told = {update["request_id"]: update["data"]["merchant"] for update in updates()}
    assert set(told) == {str(request.pk) for request in answered[:2]}
    assert {merchant["website"] for merchant in told.values()} == {"https://new.example"}


@pytest.mark.parametrize("minutes", [0, 10])
def test_resolutions_that_fail_do_not_hold_a_revision_up(answered, netflix, minutes):
    """However long it takes until all of a batch have failed."""
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=netflix)
    rulesets.publish(note="a rule", by="test")
    key = key_of(answered[2], rulesets.heuristic_for(rulesets.current().number), ALONE)
    failed = Resolution.objects.create(
        key=key.text,
        ruleset=rulesets.current(),
        status="failed",
        finished_at=timezone.now() - timedelta(minutes=minutes),
    )
    for _ in range(3):
        revision.revise()
    failed.refresh_from_db()
    assert failed.status == "failed"
    assert Revision.objects.latest("id").status == "done"
    assert name_of(answered[2]) == "Blue Bottle Coffee"


def test_what_has_failed_and_is_asked_again_does_not_hold_a_revision_up(
    answered, submit, netflix, monkeypatch
):
    """One client's posts would keep all others' answers from being corrected."""
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=netflix)
    rulesets.publish(note="a rule", by="test")
    key = key_of(answered[2], rulesets.heuristic_for(rulesets.current().number), ALONE)
    failed = Resolution.objects.create(
        key=key.text, ruleset=rulesets.current(), status="failed", finished_at=timezone.now()
    )
    monkeypatch.setattr(revision, "BATCH", 1)
    monkeypatch.setattr(revision, "SLICE_SECONDS", 0.2)
    job = Revision.objects.latest("id")
    # As if its process had been stopped before it had recorded that.
    with monkeypatch.context() as stopped:
        stopped.setattr(revision, "_advance", lambda *arguments: (0, False))
        revision.revise()
    Revision.objects.update(lease_expires_at=None)
    Resolution.objects.filter(pk=failed.pk).update(
        status="running", claimed_by="another", lease_expires_at=timezone.now() + timedelta(hours=1)
    )
    for _ in range(6):
        revision.revise()
    job.refresh_from_db()
    assert (job.status, job.examined) == ("done", 3)
    assert name_of(answered[2]) == "Blue Bottle Coffee"


def test_a_rule_for_a_hidden_merchant_says_nothing(answered, submit, netflix):
    Rule.objects.create(kind="contains", pattern="blue bottle", merchant=netflix)
    netflix.active = False
    netflix.save()
    rulesets.publish(note="gone", by="test")
    request = submit("BLUE BOTTLE KIOSK")
    run_cluster()
    request.refresh_from_db()
    assert request.resolution.method != "rule"


@pytest.mark.parametrize("text", ["VENMO *MIKE-JONES", "CASH APP*MIKE R", "KLARNA COLUMBUS OH"])
def test_a_new_merchant_reaches_what_named_it_as_the_processor(submit, webhook, text):
    request = submit(text)
    run_cluster()
    name = name_of(request)
    Merchant.objects.create(name=name)
    rulesets.publish(note="the processor itself", by="test")
    run_revision()
    request.refresh_from_db()
    assert request.resolution.answer["merchant"]["id"]
    assert len(updates()) == 1
