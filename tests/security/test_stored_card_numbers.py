"""No card number is kept in the clear, by whichever way it comes; a client's own ids stay."""

import io
import json
import logging
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from merchants.catalogue import rulesets
from merchants.models import (
    Alias,
    Batch,
    Feedback,
    Merchant,
    NormalizationRequest,
    Rule,
)
from merchants.requests import admission, batches, worker
from pave.clients import api_keys as keys
from pave.clients.models import Client
from pave.operations.monitoring.log_formatters import JSONFormatter, PlainFormatter
from tests.api.problems import problem
from tests.merchants.batching import MEDIA_TYPES, post
from tests.merchants.heuristics import FirstWord
from tests.security.test_secrets import stored
from webhooks.models import DeliveryAttempt, Webhook
from webhooks.receiver.application import Reply, always

pytestmark = pytest.mark.django_db

VISA = "4111111111111111"
REQUEST_ID = "0190c2a4-7e1b-7d3a-9c58-4111111111ab"
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
    while admission.admit_batch() or worker.resolve_due():
        pass
    return api.get(response["location"]).json()


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("SHOP 4111*1111*1111*1111", "SHOP 4111*11********1111"),
        ("SHOP 4111 1111 1111 1111 05/28", "SHOP 4111 11** **** 1111 05/28"),
        (f"SHOP 2026-11-20 {VISA} KWIK", "SHOP 2026-11-20 411111******1111 KWIK"),
        ("SHOP 4111.1111.1111.1111", "SHOP 4111.11**.****.1111"),
        ("SHOP 4111–1111–1111–1111", "SHOP 4111–11**–****–1111"),
        ("SHOP ４１１１１１１１１１１１１１１１", "SHOP ４１１１１１******１１１１"),
    ],
)
def test_reads_lists_and_webhooks_show_a_transaction_masked(
    api, webhook, receiver, send, sent, kept
):
    shown = answered(api, description=sent, city=sent)
    send()
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
def test_a_reference_stays_as_it_was_and_finds_its_request(api, webhook, receiver, send, reference):
    shown = answered(api, description="SHOP", reference=reference)
    answered(api, description="SHOP", reference=f"{reference[:6]}-{reference[-4:]}")
    send()
    assert shown["transaction"]["reference"] == reference
    found = api.get("/v1/normalizations", {"reference": reference}).json()["data"]
    assert [one["request_id"] for one in found] == [shown["request_id"]]
    told = [json.loads(message.body)["data"] for message in receiver.messages]
    assert reference in [data["transaction"]["reference"] for data in told]


@pytest.mark.parametrize(
    "reference",
    [VISA, "4111 1111 1111 1111", f"order-{VISA}", "4111*1111*1111*1111", f"a{VISA}b"],
)
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


PATHS = [VISA, "4111-1111-1111-1111", "4111%201111%201111%201111", f"a{VISA}b", f"?card={VISA}"]


@pytest.mark.parametrize("path", PATHS)
def test_a_url_that_holds_a_card_number_is_refused_and_not_altered(
    api, superuser, client_1234, receiver, path
):
    url = receiver.url(f"/hook/{path}")
    made = api.post("/v1/webhooks", {"url": url}, format="json")
    assert "card number" in str(problem(made, 400, "/url"))
    assert VISA not in made.content.decode()
    seeds = api.post("/create_webhook", {"url": url, "client_id": "1234"}, format="json")
    problem(seeds, 400, "/url")
    superuser.post(
        reverse("admin:webhooks_webhook_add"),
        {"client": client_1234.client.pk, "url": url, "max_in_flight": "4"},
    )
    with pytest.raises(CommandError, match="card number"):
        call_command("create_client", "1235", webhook_url=url)
    assert not Webhook.objects.exists()
    assert not Client.objects.filter(client_id="1235").exists()


@pytest.mark.parametrize(
    "path",
    [
        "0190c2a4-7e1b-7d3a-9c58-4111111111ab",
        "orders/2026111000010042",
        "orders/4111111111111112",
        "41111111-1111-4111-8111-111111111111",
        "+491711234567890",
        "DE89370400440532013000",
        "?secret=e4111111111111111a09c3d2",
    ],
)
def test_a_url_with_other_numbers_is_taken_as_it_is(api, receiver, path):
    url = receiver.url(f"/hook/{path}")
    made = api.post("/v1/webhooks", {"url": url}, format="json")
    assert made.status_code == 201, made.content
    assert Webhook.objects.get().url == url


def test_a_header_whose_name_is_a_card_number_is_refused(api, receiver):
    body = {"url": receiver.url("/hook"), "headers": {f"x-{VISA}": "1"}}
    made = api.post("/v1/webhooks", body, format="json")
    [error] = problem(made, 400, "/headers/x-411111******1111")["errors"]
    assert "card number" in error["detail"]
    assert VISA not in made.content.decode()


def test_metadata_is_masked_with_what_is_glued_to_a_number(api):
    sent = {"a": f"{VISA}05/28", f"a{VISA}b": "4111*1111*1111*1111", "id": f"{VISA}0528"}
    shown = answered(api, description="SHOP", metadata=sent)
    assert shown["metadata"] == {
        "a": "411111*********105/28",
        "a411111******1111b": "4111*11********1111",
        "id": f"{VISA}0528",
    }


OTHER_VISA = "4111110000091111"


@pytest.mark.parametrize("keys", [[VISA, OTHER_VISA], [VISA, "411111******1111"]])
def test_keys_that_are_the_same_once_masked_are_refused(api, keys):
    metadata = dict.fromkeys(["plain", *keys], "x")
    sent = {"description": "SHOP", "metadata": metadata}
    body = problem(
        api.post("/v1/normalizations", sent, format="json"), 400, "/metadata/411111******1111"
    )
    assert "the same as another" in body["errors"][0]["detail"]
    batch = post(api, [sent, {"description": "SHOP", "metadata": {keys[0]: "x"}}]).json()
    assert (batch["counts"]["accepted"], batch["counts"]["rejected"]) == (1, 1)
    assert batch["errors"][0]["pointer"] == "/metadata/411111******1111"
    assert VISA.encode() not in stored()


def test_an_error_does_not_say_a_card_number_back(api, receiver):
    for response in (
        api.get("/v1/normalizations", {VISA: "1"}),
        api.get("/v1/normalizations", headers={"client-id": VISA}),
        api.post(
            "/v1/webhooks",
            {"url": receiver.url("/hook"), "events": [f"event {VISA}"]},
            format="json",
        ),
    ):
        assert response.status_code in (400, 403), response.content
        assert VISA not in response.content.decode()


def test_an_idempotency_key_is_not_kept_in_clear_and_still_counts(api):
    sent = {"description": "SHOP"}
    headers = {"Idempotency-Key": f'"{VISA}"'}
    first = api.post("/v1/normalizations", sent, format="json", headers=headers)
    again = api.post("/v1/normalizations", sent, format="json", headers=headers)
    assert first.json()["request_id"] == again.json()["request_id"]
    assert NormalizationRequest.objects.count() == 1
    assert VISA.encode() not in stored()


def test_a_request_id_that_holds_a_card_number_is_replaced(client):
    given = f"order-{VISA}"
    assert VISA not in client.get("/livez", headers={"X-Request-Id": given})["X-Request-Id"]


@pytest.mark.parametrize("formatter", [PlainFormatter, JSONFormatter])
def test_logs_hold_no_card_number(client, formatter):
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(formatter())
    logger = logging.getLogger("django.request")
    logger.addHandler(handler)
    try:
        client.get(f"/v1/nothing/{VISA}")  # Django logs the path of what it does not find
        try:
            raise ValueError(f"descriptor {VISA}")
        except ValueError:
            logger.exception("card.%s", VISA)
        fields = {"card": int(VISA), "text": "card 4111 1111 1111 1111", "id": UUID(REQUEST_ID)}
        logger.warning("card.seen", extra=fields)
    finally:
        logger.removeHandler(handler)
    assert VISA not in output.getvalue()
    assert "nothing/411111******1111" in output.getvalue()
    assert "descriptor 411111******1111" in output.getvalue()
    assert REQUEST_ID in output.getvalue()
    assert "card 4111 11** **** 1111" in output.getvalue()


def test_what_an_endpoint_answers_is_kept_masked(api, webhook, receiver, send):
    receiver.behaviour = always(Reply(body=f"no such card {VISA}".encode()))
    answered(api, description="SHOP")
    send()
    assert DeliveryAttempt.objects.get().response_head == "no such card 411111******1111"


@pytest.mark.parametrize("filler", [".", "é"])
@pytest.mark.parametrize("kept", [8, 12, 15])
def test_a_card_number_is_found_where_an_endpoints_answer_is_cut(
    api, webhook, receiver, send, kept, filler
):
    body = filler * (4_096 - kept) + VISA
    headers = {"X-Long": "." * (1_024 - kept) + VISA, f"X-{VISA}": "1"}
    sent = body.encode() if filler == "." else b"\0" * 64 + body.encode()
    receiver.behaviour = always(Reply(body=sent, headers=headers))
    answered(api, description="SHOP")
    send()
    attempt = DeliveryAttempt.objects.get()
    assert attempt.response_head == body[: 4_096 - kept] + "411111******1111"[:kept]
    assert "x-411111******1111" in attempt.response_headers
    assert VISA[:8] not in str(attempt.response_headers)


def test_a_new_client_is_not_called_by_a_card_number():
    with pytest.raises(CommandError, match="card number"):
        call_command("create_client", VISA)
    call_command("create_client", "2026111000010042", verbosity=0)
    assert Client.objects.get().client_id == "2026111000010042"


def test_what_staff_write_into_the_catalogue_holds_no_card_number(superuser):
    rules, merchants = reverse("admin:merchants_rule_add"), reverse("admin:merchants_merchant_add")
    rule = {"kind": "exact", "priority": "0", "active": "on"}
    superuser.post(rules, {**rule, "pattern": f"SHOP {VISA}"})
    superuser.post(rules, {**rule, "pattern": "SHOP", "note": f"As {VISA} says"})
    merchant = {
        "active": "on", "mccs": "[]", "countries": "[]", "websites": "{}",
        "aliases-TOTAL_FORMS": "1", "aliases-INITIAL_FORMS": "0",
    }  # fmt: skip
    superuser.post(merchants, {**merchant, "name": f"Shop {VISA}"})
    superuser.post(merchants, {**merchant, "name": "Shop", "aliases-0-text": f"SHOP {VISA}"})
    assert Rule.objects.get().note == "As 411111******1111 says"
    assert not Merchant.objects.exists()
    assert not Alias.objects.exists()
    assert rulesets.publish(note=f"For {VISA}", by="anna").note == "For 411111******1111"
    assert VISA.encode() not in stored()
