"""Who waits is put in rows of its own, and answers lose what was read from a transaction."""

import re
from itertools import groupby

from django.db import migrations, transaction

from pave.core.database.bulk_update import update_each

BATCH = 2000
# Keys of what the catalogue or a rule answers: they held no text before, and are the same now.
KEPT = re.compile(r"m:[0-9a-f-]{36}:0\.\d\d:|r:\d+:")


def _in_batches(rows):
    last = None
    while True:
        batch = list((rows.filter(pk__gt=last) if last else rows).order_by("pk")[:BATCH])
        if not batch:
            return
        yield batch
        last = batch[-1].pk


def hide_aliases_from_feedback(apps, schema_editor):
    """Clients do not see the spellings that were taken from somebody's transaction."""
    Feedback = apps.get_model("merchants", "Feedback")
    Alias = apps.get_model("merchants", "Alias")
    accepted = Feedback.objects.filter(status="accepted", merchant__isnull=False)
    for feedback in accepted.select_related("request__resolution").iterator():
        answer = (feedback.request.resolution and feedback.request.resolution.answer) or {}
        text = (answer.get("match") or {}).get("descriptor") or feedback.request.description
        Alias.objects.filter(merchant=feedback.merchant_id, text=text[:200]).update(published=False)


def make_waiters(apps, schema_editor):
    """Each client that waits for a resolution gets its row, with its first request."""
    Request = apps.get_model("merchants", "NormalizationRequest")
    Resolution = apps.get_model("merchants", "Resolution")
    Waiter = apps.get_model("merchants", "Waiter")
    for resolutions in _in_batches(Resolution.objects.filter(status__in=["pending", "running"])):
        by_pk = {resolution.pk: resolution for resolution in resolutions}
        requests = Request.objects.filter(status="processing", resolution__in=by_pk)
        waiting = requests.order_by("resolution_id", "client_id", "id")
        with transaction.atomic():
            waiters = []
            for (resolution_pk, client_pk), group in groupby(
                waiting.only("id", "client_id", "resolution_id", "batch_id", "created_at"),
                key=lambda request: (request.resolution_id, request.client_id),
            ):
                rows = list(group)
                waiters.append(
                    Waiter(
                        resolution_id=resolution_pk,
                        client_id=client_pk,
                        request_id=rows[0].pk,
                        bulk=all(row.batch_id for row in rows),
                        since=rows[0].created_at,
                        due_at=by_pk[resolution_pk].next_attempt_at or rows[0].created_at,
                    )
                )
            Waiter.objects.bulk_create(waiters, ignore_conflicts=True)


def strip_answers(apps, schema_editor):
    """Answers hold what was found out. Those under keys of free text serve nobody else any more."""
    Resolution = apps.get_model("merchants", "Resolution")
    for resolutions in _in_batches(Resolution.objects.all()):
        for resolution in resolutions:
            for member in ("descriptor", "intermediary"):
                ((resolution.answer or {}).get("match") or {}).pop(member, None)
            resolution.evidence = []
            resolution.transaction = {}
            if not KEPT.match(resolution.key):
                resolution.key = f"retired:{resolution.pk}"
        update_each(resolutions, ("key", "answer", "evidence", "transaction"))


class Migration(migrations.Migration):
    atomic = False  # in steps: there may be millions of answers

    dependencies = [
        ("merchants", "0006_readings_and_turns"),
    ]

    operations = [
        migrations.RunPython(hide_aliases_from_feedback, migrations.RunPython.noop),
        migrations.RunPython(make_waiters, migrations.RunPython.noop),
        migrations.RunPython(strip_answers, migrations.RunPython.noop),
    ]
