"""Nothing of one client's reaches another: texts, answers, and who has asked before."""

import csv
import json
import random
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from merchants.catalogue import feedback, rulesets
from merchants.matching.heuristic import PaveHeuristic, Transaction
from merchants.matching.types import Key
from merchants.models import Alias, Merchant, NormalizationRequest, Resolution
from merchants.requests import admission, cancellation, revision, submission, worker
from merchants.requests.resolutions import claims
from merchants.requests.resolutions.keys import stored_key
from tests.merchants.cluster import run_cluster
from tests.merchants.test_erasure import erase, everything_stored
from webhooks.models import Event

LABELLED = Path(__file__).parent / "data" / "labelled.csv"
# What banks print, around words of a client's customers.
TEMPLATES = (
    "ZELLE TRANSFER TO {0} {1} 4155550199 RENT",
    "AMZN Mktp US*{0} {1}",
    "TRANSFER TO {0} Q {1} IBAN DE89370400440532013000",
    "NETFLIX {0} {1}",
    "NETFLIX.COM {0}",
    "ATM WITHDRAWAL {0} {1}",
    "SQ *{0} {1} COFFEE OAKLAND CA",
    "PAYPAL *{0} {1}",
    "{0} {1} GMBH BERLIN",
    "STARBUCKS STORE 0{2} {0} WA",
    "UBER *{0}",
    "Swish betalning {0} {1}",
    "SEPA LASTSCHRIFT {0} {1} REF {2}",
    "VENMO *{0} {1}",
    "{0}",
    "STARBUKCS {0}",
)
FIELDS = st.fixed_dictionaries(
    {
        "mcc": st.sampled_from(["", "5411", "5812", "6011", "4829"]),
        "country": st.sampled_from(["", "US", "DE", "GB"]),
        "currency": st.sampled_from(["", "USD", "EUR"]),
        "city": st.sampled_from(["", "Oakland", "Berlin"]),
    }
)


def words_of(seed, count):
    """Return words that nobody else has, as long as no word is made of a part of one."""
    chance = random.Random(seed)
    return ["".join(chance.choices(string.ascii_uppercase, k=9)) for _ in range(count)]


def answer_of(match):
    return (
        match.name, match.merchant_id, match.confidence, match.method, match.intermediary,
        match.evidence,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole():
    from merchants.catalogue.importer import shipped_content

    content = shipped_content()
    return PaveHeuristic(content.merchants, content.rules)


def labelled():
    with LABELLED.open(encoding="utf-8", newline="") as lines:
        return [row["description"] for row in csv.DictReader(lines)]


def texts():
    """Labelled descriptors, whole and recombined, and texts of names and rails."""
    name = st.text(alphabet="ABCDEFGH *#0123456789.-", min_size=1, max_size=12)
    return st.one_of(
        st.sampled_from(labelled()),
        st.builds(" ".join, st.lists(st.sampled_from(labelled()), min_size=2, max_size=2)),
        st.builds(
            lambda template, one, other: template.format(one, other, 17),
            st.sampled_from(TEMPLATES), name, name,
        ),
        st.text(max_size=60),
    )  # fmt: skip


def test_one_key_has_one_answer_for_all_labelled_descriptors(whole):
    answers = {}
    for text in labelled():
        for transaction in (
            Transaction(text),
            Transaction(text.upper(), country="US"),
            Transaction(f"CHECKCARD 0412 {text}", mcc="5812"),
            Transaction(f"{text} 990017"),
        ):
            answer = answer_of(whole.match(transaction))
            assert answers.setdefault(whole.key(transaction), answer) == answer, transaction


ANSWERS: dict = {}


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=texts(), fields=FIELDS)
def test_one_key_has_one_answer_for_any_text(whole, text, fields):
    transaction = Transaction(text, **fields)
    answer = answer_of(whole.match(transaction))
    assert ANSWERS.setdefault(whole.key(transaction), answer) == answer


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(template=st.sampled_from(TEMPLATES), number=st.integers(0, 10_000), fields=FIELDS)
def test_a_shared_key_and_its_answer_hold_no_word_of_the_text(whole, template, number, fields):
    own = words_of(number, 2)
    transaction = Transaction(template.format(*own, number), **fields)
    key = whole.key(transaction)
    if key.shared:
        match = whole.match(transaction)
        said = json.dumps([key.text, match.name, match.evidence]).upper()
        assert not [word for word in own if word in said]


# --- Two clients -----------------------------------------------------------------------------


def readable(caller):
    """Return all that a client can read, as one text."""
    api = caller.api
    seen = [api.get(path).content.decode() for path in (
        "/v1/usage", "/v1/batches", "/v1/webhooks", "/v1/merchants?search=netflix",
        "/v1/merchants?search=starbucks", "/v1/normalizations?status=odd", "/v1/merchants/17",
    )]  # fmt: skip
    path = "/v1/normalizations?limit=100"
    while path:
        page = api.get(path).json()
        seen.append(json.dumps(page))
        cursor = page["next_cursor"]
        path = cursor and f"/v1/normalizations?limit=100&cursor={cursor}"
    for batch in api.get("/v1/batches").json()["data"]:
        for accept in ("text/csv", "application/x-ndjson"):
            results = api.get(f"/v1/batches/{batch['id']}/results", HTTP_ACCEPT=accept)
            seen.append(b"".join(results.streaming_content).decode())
    seen += [bytes(event.body).decode() for event in Event.objects.filter(client=caller.client)]
    return "\n".join(seen).upper()


def post_all(caller, own, seed):
    """Send 500 mixed transactions, half of them in batches."""
    chance = random.Random(seed)
    rows = []
    for number in range(500):
        words = chance.sample(own, 3)
        rows.append(
            {
                "description": TEMPLATES[number % len(TEMPLATES)].format(*words[:2], number),
                "reference": f"{words[2]}-{number}",
                "metadata": {"note": words[2]},
                "country": "US",
            }
        )
    for deliver, part in (("batch", rows[:125]), ("each", rows[125:250])):
        body = {"transactions": part, "deliver": deliver}
        assert caller.api.post("/v1/batches", body, format="json").status_code == 202
    for row in rows[250:]:
        assert caller.api.post("/v1/normalizations", row, format="json").status_code == 202


@pytest.mark.django_db(transaction=True)
@pytest.mark.storage
def test_nothing_of_one_client_is_in_anything_that_another_can_read(client_1234, stranger, webhook):
    netflix = Merchant.objects.create(name="Netflix", website="https://www.netflix.com")
    Merchant.objects.create(name="Starbucks")
    rulesets.publish(note="Two", by="test")
    first, second = words_of(1, 60), words_of(2, 60)
    post_all(client_1234, first, seed=3)
    run_cluster()
    post_all(stranger, second, seed=4)
    run_cluster()
    # One of them complains, and staff agree.
    wrong = NormalizationRequest.objects.filter(
        client=client_1234.client, description__startswith="NETFLIX "
    ).first()
    given = feedback.give(request=wrong, merchant="Netflix")
    feedback.accept(feedback=given, merchant=netflix, by="staff")
    rulesets.publish(note="Corrected", by="staff")
    while revision.revise():
        run_cluster()
    done = NormalizationRequest.objects.filter(status="completed")
    assert done.count() == 1000
    for caller, own, others in ((client_1234, first, second), (stranger, second, first)):
        text = readable(caller)
        assert all(word in text for word in own)
        assert not [word for word in others if word in text]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("first", "second", "descriptor"),
    [
        ("ZELLE TRANSFER TO JANE DOE 4155550199 RENT", "ZELLE TRANSFER TO BOB SMITH", "BOB SMITH"),
        ("AMZN Mktp US*JANE DOE GIFT", "AMZN Mktp US*2K4TR91A3", "AMZN"),
        ("TRANSFER TO JANE Q DOE IBAN DE89370400440532013000", "ATM WITHDRAWAL", "ATM"),
    ],
)
def test_the_descriptor_is_read_from_the_clients_own_text(
    client_1234, stranger, first, second, descriptor
):
    for caller, text in ((client_1234, first), (stranger, second)):
        caller.api.post("/v1/normalizations", {"description": text}, format="json")
        run_cluster()
    mine = stranger.api.get("/v1/normalizations").json()["data"][0]
    assert (
        mine["match"]["descriptor"].startswith(descriptor)
        or descriptor in (mine["match"]["descriptor"])
    )
    assert "JANE" not in json.dumps(mine)


@pytest.mark.django_db(transaction=True)
def test_the_ruleset_of_an_answer_tells_not_when_another_client_asked(
    client_1234, stranger, webhook
):
    for name in ("Netflix", "Starbucks"):
        Merchant.objects.create(name=name)
    first = rulesets.publish(note="One", by="test").number
    asked = post(client_1234, "NETFLIX.COM")
    Merchant.objects.create(name="Nobody's")
    newest = rulesets.publish(note="Two", by="test").number
    assert newest > first
    while revision.revise():
        run_cluster()
    assert post(stranger, "NETFLIX.COM")["match"]["ruleset"] == newest
    assert post(stranger, "STARBUCKS 1")["match"]["ruleset"] == newest
    assert Resolution.objects.filter(ruleset=first).exists()  # the answer is shared all the same
    shown = client_1234.api.get(f"/v1/normalizations/{asked['request_id']}").json()
    assert shown["match"]["ruleset"] == first
    event = Event.objects.get(subject_id=asked["request_id"])
    assert json.loads(bytes(event.body))["data"]["match"]["ruleset"] == first
    # As a process of an earlier release leaves it.
    NormalizationRequest.objects.filter(client=client_1234.client).update(ruleset=None)
    shown = client_1234.api.get(f"/v1/normalizations/{asked['request_id']}").json()
    assert shown["match"]["ruleset"] == first


def post(caller, description):
    sent = caller.api.post("/v1/normalizations", {"description": description}, format="json")
    run_cluster()
    return caller.api.get(sent["location"]).json()


@pytest.mark.django_db(transaction=True)
def test_what_is_in_no_catalogue_is_asked_anew_by_each_client(client_1234, stranger, settings):
    def ask(caller):
        caller.api.post("/v1/normalizations", {"description": "ZANZI BORP"}, format="json")
        run_cluster()
        return NormalizationRequest.objects.filter(client=caller.client).first().resolution

    mine, theirs, again = ask(client_1234), ask(stranger), ask(client_1234)
    assert mine == again != theirs
    assert (mine.client, theirs.client) == (client_1234.client, stranger.client)
    assert "ZANZI" not in (mine.key + theirs.key).upper()
    settings.PAVE_SHARE_UNKNOWN = True
    assert ask(client_1234) == ask(stranger)


@pytest.mark.django_db(transaction=True)
def test_the_key_of_a_clients_text_cannot_be_guessed(client_1234, settings):
    def stored():
        return stored_key(Key("JANE DOE", shared=False), client_1234.client.pk).text

    first = stored()
    settings.SECRET_KEY = "another one" * 5
    assert stored() != first


def test_an_erased_client_leaves_nothing_of_its_texts(client_1234, stranger, webhook):
    own, others = words_of(5, 60), words_of(6, 60)
    post_all(client_1234, own, seed=7)
    post_all(stranger, others, seed=8)
    admission.admit_batch()  # some are answered, some wait
    worker.resolve_due()
    erase("1234")
    stored = everything_stored().upper()
    assert not [word for word in own if word in stored]
    run_cluster()
    assert NormalizationRequest.objects.exclude(status="completed").count() == 0
    assert Resolution.objects.filter(status="pending").count() == 0


@pytest.mark.django_db
def test_feedback_writes_the_words_of_the_transaction_it_is_about(client_1234, stranger, api):
    netflix = Merchant.objects.create(name="Netflix")
    rulesets.publish(note="One", by="test")
    requests = []
    for caller, text in ((stranger, "NETFLIX JOHN SMITH"), (client_1234, "NETFLIX MARIA GARCIA")):
        fields = {"description": text}
        requests.append(submission.submit(client=caller.client, fields=fields))
        run_cluster()
    given = feedback.give(request=requests[1], merchant="Netflix")
    feedback.accept(feedback=given, merchant=netflix, by="staff", allow_person_name=True)
    alias = Alias.objects.get()
    assert "MARIA" in alias.text
    # Clients do not see what was taken from somebody's transaction.
    assert "MARIA" not in api.get(f"/v1/merchants/{netflix.pk}").content.decode()
    for part in ("MARIA", "GARC"):
        assert stranger.api.get(f"/v1/merchants?search={part}").json()["data"] == []


@pytest.mark.django_db(transaction=True)
def test_a_shared_answer_that_nobody_else_has_goes_with_the_client(client_1234, settings):
    settings.PAVE_SHARE_UNKNOWN = True
    request = submission.submit(
        client=client_1234.client, fields={"description": "ZZQXPERSONA BAKERYX"}
    )
    admission.admit_batch()
    claimed = claims.claim(worker="w")
    cancellation.cancel(request=request)
    worker.work(claimed)
    assert Resolution.objects.get().status == "resolved"
    erase("1234")
    assert "ZZQXPERSONA" not in everything_stored().upper()
