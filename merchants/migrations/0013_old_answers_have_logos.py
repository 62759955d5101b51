"""Answers that were worked out before merchants had logos and sites by country get both."""

from django.db import migrations

from pave.core.database.bulk_update import update_each

BATCH = 2000


def fill(apps, schema_editor):
    """Go through the answers in the order of their ids, some at a time.

    A repeat changes nothing twice; what has an answer is changed by nobody else.
    """
    answered = apps.get_model("merchants", "Resolution").objects.filter(
        status="resolved", merchant__isnull=False
    )
    last = None
    while True:
        left = answered.filter(pk__gt=last) if last else answered
        batch = list(left.select_related("merchant").order_by("pk")[:BATCH])
        if not batch:
            return
        last = batch[-1].pk
        old = [row for row in batch if "logo_url" not in (row.answer or {}).get("merchant", {})]
        for resolution in old:
            merchant = resolution.merchant
            resolution.answer.setdefault("merchant", {}).update(
                logo_url=merchant.logo_url or None, websites=merchant.websites
            )
        update_each(old, ("answer",))


class Migration(migrations.Migration):
    atomic = False  # in steps: there may be very many answers

    dependencies = [
        ("merchants", "0012_addresses_are_uris"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
