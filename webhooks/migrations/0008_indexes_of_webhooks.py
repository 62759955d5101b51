from django.db import migrations, models

from pave.core.database.concurrent_indexes import AddIndexAside


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("webhooks", "0007_contact_mails"),
    ]

    operations = [
        AddIndexAside(
            "webhook",
            models.Index(
                fields=["contact_due_at"],
                name="webhook_contact_due",
                condition=models.Q(contact_due_at__isnull=False),
            ),
        ),
        AddIndexAside(
            "webhook",
            models.Index(
                fields=["client", "id"],
                name="webhook_of_client",
                condition=models.Q(deleted_at__isnull=True),
            ),
        ),
    ]
