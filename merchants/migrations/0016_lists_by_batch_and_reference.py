from django.db import migrations, models

from pave.core.database.concurrent_indexes import AddIndexAside, RemoveIndexAside


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("merchants", "0015_waiters_out_of_sight"),
    ]

    operations = [
        AddIndexAside(
            "normalizationrequest",
            models.Index(
                fields=["batch", "-id"],
                name="request_of_batch_newest",
                condition=models.Q(batch__isnull=False),
            ),
        ),
        AddIndexAside(
            "normalizationrequest",
            models.Index(
                fields=["client", "reference", "-id"],
                name="request_reference_newest",
                condition=models.Q(("reference", ""), _negated=True),
            ),
        ),
        RemoveIndexAside("normalizationrequest", "request_reference"),
    ]
