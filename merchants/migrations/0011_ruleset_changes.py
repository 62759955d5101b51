from django.db import migrations, models

from pave.core.database.concurrent_indexes import AddIndexAside


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("merchants", "0010_categories"),
    ]

    operations = [
        migrations.AddField(
            model_name="ruleset",
            name="changed",
            field=models.BinaryField(
                help_text=(
                    "Those of them, old and new, in which it differs from the ruleset before."
                ),
                null=True,
            ),
        ),
        AddIndexAside(
            "resolution",
            models.Index(
                fields=["id"],
                name="resolution_pending",
                condition=models.Q(status="pending"),
            ),
        ),
    ]
