"""No card number is kept in the clear, by whichever way it comes; a client's own ids stay."""

import json

import pytest
from django.core.management import call_command
from django.urls import reverse

from merchants import batches, normalization, working
from merchants.models import Batch, Feedback, NormalizationRequest
from pave.clients import keys
from pave.clients.models import Client
from tests.api.problems import problem
from tests.merchants.batching import MEDIA_TYPES, post
from tests.merchants.heuristics import FirstWord
from tests.security.test_secrets import stored
from webhooks import delivery
from webhooks.models import Webhook

pytestmark = pytest.mark.django_db

VISA = "4111111111111111"
REFUSED = {
    "pointer": "/reference",
    "detail": "This looks like a card number, which Pave must not keep. Send an id of your own.",
}


@pytest.fixture(autouse=True)
def heuristic(settings):
    settings.PAVE_HEURISTIC = f"{FirstWord.__module__}.FirstWord"


def answered(api, **fields):
    """Return a transaction that was sent, and answered, as its client can read it."""
    response = api.post("/v1/normalizations", fields, format="json")
    assert response.status_code == 202, response.content
    while normalization.admit_batch() or working.resolve_due():
        pass
    return api.get(response["location"]).json()


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("SHOP 4111 1111 1111 1111 05/28", "SHOP 4111 11** **** 1111 05/28"),
        (f"SHOP 2026-11-20 {VISA} KWIK", "SHOP 2026-11-20 411111******1111 KWIK"),
        ("SHOP 4111.1111.1111.1111", "SHOP 4111.11**.****.1111"),
        ("SHOP 4111–1111–1111–1111", "SHOP 4111–11**–****–1111"),
        ("SHOP ４１１１１１１１１１１１１１１１", "SHOP ４１１１１１******１１１１"),
    ],
)
def test_reads_lists_and_webhooks_show_a_transaction_masked(api, webhook, receiver, sent, kept):
    shown = answered(api, description=sent, city=sent)
    delivery.Sender().run(seconds=1)
    [message] = receiver.messages
    [listed] = api.get("/v1/normalizations").json()["data"]
    for body in (shown, listed, json.loads(message.body)["data"]):
        assert body["transaction"]["description"] == kept
        assert body["transaction"]["city"] == kept
    request = NormalizationRequest.objects.get()
    assert (request.description, request.city) == (kept, kept)


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_rows_of_a_batch_are_masked(api, media_type):
    post(api, [{"description": f"SHOP 2026-11-20 {VISA}"}], media_type)
    request = NormalizationRequest.objects.get()
    assert request.description == "SHOP 2026-11-20 411111******1111"


def test_feedback_of_a_client_is_masked(api):
    request = answered(api, description="SHOP")
    given = api.post(
        f"/v1/normalizations/{request['request_id']}/feedback",
        {"merchant": f"Shop {VISA}", "comment": "Paid by 4111-1111-1111-1111."},
        format="json",
    )
    assert given.status_code == 201
    assert given.json()["merchant"] == "Shop 411111******1111"
    assert given.json()["comment"] == "Paid by 4111-11**-****-1111."
    assert VISA.encode() not in stored()
    assert b"4111-1111-1111-1111" not in stored()


def test_feedback_of_staff_is_masked_in_the_audit_trail_too(api, superuser):
    request = answered(api, description="SHOP")
    url = reverse("admin:merchants_normalizationrequest_do", args=[request["request_id"], "wrong"])
    superuser.post(url, {"merchant": f"Shop {VISA}", "comment": f"{VISA}0528"})
    assert Feedback.objects.get().merchant_name == "Shop 411111******1111"
    assert VISA.encode() not in stored()


def test_what_a_webhook_says_of_itself_is_masked(api, receiver):
    token = f"{VISA}0528"  # as long as this, it is no card's
    made = api.post(
        "/v1/webhooks",
        {
            "url": receiver.url("/hook"),
            "description": f"For {VISA}",
            "headers": {"x-note": f"card {VISA}", "x-token": token},
        },
        format="json",
    )
    assert made.status_code == 201, made.content
    assert made.json()["description"] == "For 411111******1111"
    webhook = Webhook.objects.get()
    assert webhook.headers == {"x-note": "card 411111******1111", "x-token": token}
    changed = api.patch(
        f"/v1/webhooks/{webhook.pk}",
        {"description": f"Of {VISA}", "headers": {"x-note": VISA}},
        format="json",
    )
    assert changed.json()["description"] == "Of 411111******1111"
    webhook.refresh_from_db()
    assert webhook.headers == {"x-note": "411111******1111"}


def test_what_staff_write_of_a_client_is_masked(superuser):
    superuser.post(
        reverse("admin:clients_client_add"),
        {
            "client_id": "1234",
            "name": f"Bank {VISA}",
            "active": "on",
            "share": "1",
            "notes": f"Test with {VISA}",
        },
    )
    client = Client.objects.get(client_id="1234")
    assert client.name == "Bank 411111******1111"
    assert client.notes == "Test with 411111******1111"
    superuser.post(
        reverse("admin:clients_client_change", args=[client.pk]),
        {"name": "Bank", "active": "on", "share": "1", "notes": f"Tested with {VISA}"},
    )
    client.refresh_from_db()
    assert client.notes == "Tested with 411111******1111"
    call_command("create_client", "1235", name=f"Bank {VISA}", verbosity=0)
    keys.issue(client=client, name=f"for {VISA}")
    assert VISA.encode() not in stored()


def test_what_is_said_of_a_bad_row_is_masked(client_1234):
    wrong = [{"pointer": f"/{VISA}", "detail": "There is no such member."}]
    rows = [
        batches.Row(1, None, {"description": "SHOP"}),
        batches.Row(2, None, None, wrong),
    ]
    batches.accept(client=client_1234.client, rows=rows)
    assert Batch.objects.get().errors[0]["pointer"] == "/411111******1111"


@pytest.mark.parametrize(
    "reference",
    [
        "2026111000010042",
        "2026111000020042",
        f"{VISA}0528",
        "41111111-1111-4111-8111-111111111111",
        "4111111111111112",
    ],
)
def test_a_reference_stays_as_it_was_and_finds_its_request(api, webhook, receiver, reference):
    shown = answered(api, description="SHOP", reference=reference)
    answered(api, description="SHOP", reference=f"{reference[:6]}-{reference[-4:]}")
    delivery.Sender().run(seconds=1)
    assert shown["transaction"]["reference"] == reference
    found = api.get("/v1/normalizations", {"reference": reference}).json()["data"]
    assert [one["request_id"] for one in found] == [shown["request_id"]]
    told = [json.loads(message.body)["data"] for message in receiver.messages]
    assert reference in [data["transaction"]["reference"] for data in told]


@pytest.mark.parametrize("reference", [VISA, "4111 1111 1111 1111", f"order-{VISA}"])
def test_a_reference_that_holds_a_card_number_is_refused(api, reference):
    sent = {"description": "SHOP", "reference": reference}
    body = problem(api.post("/v1/normalizations", sent, format="json"), 400, "/reference")
    assert REFUSED in body["errors"]
    assert VISA not in json.dumps(body)
    assert not NormalizationRequest.objects.exists()


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_in_a_batch_only_the_row_of_such_a_reference_is_refused(api, media_type):
    rows = [
        {"description": "SHOP", "reference": VISA},
        {"description": "SHOP", "reference": "2026111000010042"},
    ]
    body = post(api, rows, media_type).json()
    assert (body["counts"]["accepted"], body["counts"]["rejected"]) == (1, 1)
    [error] = body["errors"]
    assert error["row"] == 1
    assert {name: error[name] for name in REFUSED} == REFUSED
    assert NormalizationRequest.objects.get().reference == "2026111000010042"
    assert VISA.encode() not in stored()
