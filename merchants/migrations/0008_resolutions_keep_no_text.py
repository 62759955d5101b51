from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('merchants', '0007_move_waiters'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='resolution',
            name='resolution_due',
        ),
        migrations.RemoveField(
            model_name='resolution',
            name='bulk',
        ),
        migrations.RemoveField(
            model_name='resolution',
            name='next_attempt_at',
        ),
        migrations.RemoveField(
            model_name='resolution',
            name='transaction',
        ),
    ]
