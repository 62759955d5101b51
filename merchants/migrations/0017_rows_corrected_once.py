from django.db import migrations, models
from django.db.models import F

from pave.core.database.concurrent_indexes import AddIndexAside, RemoveIndexAside


def count_corrections(apps, schema_editor):
    """What has been told of is compared with all corrections from now on."""
    Batch = apps.get_model("merchants", "Batch")
    Batch.objects.filter(corrected__gt=0).update(corrections=F("corrected"))


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("merchants", "0016_lists_by_batch_and_reference"),
    ]

    operations = [
        migrations.AddField(
            "normalizationrequest",
            "corrected",
            models.BooleanField(
                default=False, db_default=False, help_text="Whether it had another answer before."
            ),
        ),
        migrations.AddField(
            "batch", "corrections", models.PositiveIntegerField(default=0, db_default=0)
        ),
        migrations.AlterField(
            "batch",
            "corrected",
            models.PositiveIntegerField(
                default=0,
                db_default=0,
                help_text="Rows whose answer was corrected, once or more often.",
            ),
        ),
        migrations.AlterField(
            "batch",
            "corrections_told",
            models.PositiveIntegerField(
                default=0, db_default=0, help_text="So many corrections have been told of."
            ),
        ),
        migrations.RunPython(count_corrections, migrations.RunPython.noop),
        AddIndexAside(
            "batch",
            models.Index(
                fields=["id"],
                name="batch_corrections",
                condition=models.Q(("corrections__gt", models.F("corrections_told"))),
            ),
        ),
        RemoveIndexAside("batch", "batch_corrected"),
    ]
