"""The quick start of docs/api.md by the client of openapi-python-client."""

import os
import time
from uuid import UUID

from pave_client import AuthenticatedClient
from pave_client.api.batches import create_batch, get_batch, get_batch_results
from pave_client.api.normalizations import create_normalization, list_normalizations
from pave_client.api.usage import get_usage
from pave_client.api.webhooks import list_webhooks, send_test
from pave_client.models import (
    Batch,
    Currency,
    NewBatch,
    Normalization,
    NormalizationPage,
    Problem,
    TestResult,
    Transaction,
    Usage,
    WebhookPage,
)

PAVE = AuthenticatedClient(base_url=os.environ["PAVE"], token=os.environ["KEY"], prefix="Api-Key")


def send() -> Normalization:
    """Send a transaction and wait; find it by its reference."""
    transaction = Transaction(
        description="SQ *BLUE BOTTLE COFFEE OAKLAND CA",
        amount="5.25",
        currency=Currency.USD,
        reference="t-1",
    )
    sent = create_normalization.sync(client=PAVE, body=transaction, prefer="wait=10")
    assert isinstance(sent, Normalization)
    assert sent.merchant is not None
    assert sent.merchant.name == "Blue Bottle Coffee"
    found = list_normalizations.sync(client=PAVE, reference="t-1")
    assert isinstance(found, NormalizationPage)
    assert [one.request_id for one in found.data] == [sent.request_id]
    return sent


def repeat() -> None:
    """Send a transaction twice, safely; and a wrong one."""
    transaction = Transaction(description="NETFLIX.COM", amount=12.99)
    first, second = (
        create_normalization.sync_detailed(
            client=PAVE, body=transaction, idempotency_key="order-7-payment-1"
        )
        for _ in range(2)
    )
    assert first.content == second.content
    assert second.headers["Idempotency-Replayed"] == "true"
    refused = create_normalization.sync(client=PAVE, body=Transaction(description=" "))
    assert isinstance(refused, Problem)
    assert refused.errors
    assert refused.errors[0].pointer == "/description"


def send_batch() -> UUID:
    """Send a batch, wait for its end and read its results."""
    rows = [Transaction(description=text) for text in ("NETFLIX.COM", "SPOTIFY P1A2B3", "")]
    batch = create_batch.sync(client=PAVE, body=NewBatch(transactions=rows))
    assert isinstance(batch, Batch)
    assert [error.pointer for error in batch.errors] == ["/description"]
    while batch.status != "completed":
        time.sleep(0.2)
        seen = get_batch.sync(batch.id, client=PAVE)
        assert isinstance(seen, Batch)
        batch = seen
    results = get_batch_results.sync(batch.id, client=PAVE)
    assert isinstance(results, str)
    assert len(results.splitlines()) == 2
    return batch.id


def try_webhook() -> None:
    """Send a test message to the webhook that there is."""
    webhooks = list_webhooks.sync(client=PAVE)
    assert isinstance(webhooks, WebhookPage)
    tested = send_test.sync(webhooks.data[0].id, client=PAVE)
    assert isinstance(tested, TestResult)
    assert tested.attempt.ok
    assert tested.attempt.error is None


def read_new_words(sent: Normalization) -> None:
    """Read words that were not there when the client was made."""
    new = {**sent.to_dict(), "status": "paused", "kind": "gift", "a_new_member": {}}
    new["match"]["method"] = "asked_around"
    seen = Normalization.from_dict(new)
    assert seen.match is not None
    assert (seen.status, seen.kind, seen.match.method) == ("paused", "gift", "asked_around")


sent = send()
repeat()
send_batch()
try_webhook()
read_new_words(sent)
usage = get_usage.sync(client=PAVE)
assert isinstance(usage, Usage)
assert usage.normalizations.total == 4
