"""The roles viewer, support, matcher and admin."""

from django.db import migrations

from pave.staff.roles import make_roles


class Migration(migrations.Migration):
    dependencies = [
        ("staff", "0002_roles"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [
        migrations.RunPython(lambda apps, editor: make_roles(apps), migrations.RunPython.noop)
    ]
