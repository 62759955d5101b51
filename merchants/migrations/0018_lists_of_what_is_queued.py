from django.db import migrations, models

from pave.core.database.concurrent_indexes import AddIndexAside, RemoveIndexAside


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("merchants", "0017_rows_corrected_once"),
    ]

    operations = [
        AddIndexAside(
            "normalizationrequest",
            models.Index(
                fields=["client", "status", "-id"],
                name="request_not_completed",
                condition=models.Q(status__in=["queued", "processing", "failed", "canceled"]),
            ),
        ),
        RemoveIndexAside("normalizationrequest", "request_rare_status"),
    ]
