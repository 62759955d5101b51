"""What resolutions have no use for any more.

The columns stay for a release: web processes of the last one still read them while new ones take
their place. Nothing is written to them.
"""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('merchants', '0008_turns_indexes'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.AlterField(
                    model_name='resolution',
                    name='transaction',
                    field=models.JSONField(null=True),
                ),
                migrations.AlterField(
                    model_name='resolution',
                    name='bulk',
                    field=models.BooleanField(db_default=False),
                ),
            ],
            state_operations=[
                migrations.RemoveField(model_name='resolution', name='bulk'),
                migrations.RemoveField(model_name='resolution', name='next_attempt_at'),
                migrations.RemoveField(model_name='resolution', name='transaction'),
            ],
        ),
    ]
