from django.db import migrations, models

from pave.core.database.concurrent_indexes import AddIndexAside, RemoveIndexAside


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("merchants", "0007_move_waiters"),
    ]

    operations = [
        AddIndexAside(
            "normalizationrequest",
            models.Index(
                fields=["client", "batch", "id"],
                name="request_queued_of_client",
                condition=models.Q(status="queued"),
            ),
        ),
        AddIndexAside(
            "normalizationrequest",
            models.Index(
                fields=["id"],
                name="request_suspect",
                condition=models.Q(status="queued", admission_attempts__gt=0),
            ),
        ),
        AddIndexAside(
            "batch",
            models.Index(
                fields=["id"],
                name="batch_corrected",
                condition=models.Q(corrected__gt=models.F("corrections_told")),
            ),
        ),
        AddIndexAside(
            "resolution",
            models.Index(
                fields=["client"],
                name="resolution_of_client",
                condition=models.Q(client__isnull=False),
            ),
        ),
        RemoveIndexAside("normalizationrequest", "request_queued"),
        RemoveIndexAside("resolution", "resolution_due"),
    ]
