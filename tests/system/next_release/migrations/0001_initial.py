"""A column and an index more on the busiest table, as migrations of Pave's make them."""

from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("merchants", "0001_initial")]
    operations = [
        migrations.RunSQL(
            "ALTER TABLE merchants_normalizationrequest ADD COLUMN next_release varchar(10) NULL"
        ),
        migrations.RunSQL(
            "CREATE INDEX CONCURRENTLY next_release_index"
            " ON merchants_normalizationrequest (next_release)"
        ),
    ]
