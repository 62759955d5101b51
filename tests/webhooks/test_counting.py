"""Attempts and deliveries are counted with what they are recorded in: in all, and by webhook."""

from pave.operations.models import Tally
from pave.operations.monitoring import counters
from webhooks.delivery import test_event
from webhooks.models import Webhook
from webhooks.receiver.application import Receiver, always
from webhooks.receiver.server import Reply


def _counted(subject: str) -> dict[tuple[str, str], int]:
    rows = Tally.objects.filter(subject=subject).exclude(name__endswith="seconds")
    return {(row.name, row.label): row.count for row in rows}


def test_a_success_is_counted(webhook: Webhook) -> None:
    test_event.send_test(webhook=webhook)
    assert _counted("") == {("attempts", "ok"): 1, ("deliveries", "succeeded"): 1}
    assert _counted(str(webhook.pk)) == {("webhook_attempts", "ok"): 1}
    assert Tally.objects.get(name="webhook_seconds").total >= 0


def test_a_failure_is_counted_by_its_class(webhook: Webhook, receiver: Receiver) -> None:
    receiver.behaviour = always(Reply(status=500))
    test_event.send_test(webhook=webhook)
    assert _counted("") == {("attempts", "http"): 1, ("deliveries", "failed"): 1}
    assert _counted(str(webhook.pk)) == {
        ("webhook_attempts", "http"): 1,
        ("webhook_deliveries", "failed"): 1,
    }


def test_totals_leave_out_what_repeats_them(webhook: Webhook) -> None:
    test_event.send_test(webhook=webhook)
    counted = {(name, label): count for name, label, count, _ in counters.totals()}
    assert counted["attempts", "ok"] == 1
    assert not any(name.startswith("webhook_") for name, _ in counted)


def test_a_webhooks_tallies_are_in_steps_of_five_minutes(webhook: Webhook) -> None:
    test_event.send_test(webhook=webhook)
    assert Tally.objects.get(name="webhook_attempts").at.minute % counters.SUBJECT_MINUTES == 0
