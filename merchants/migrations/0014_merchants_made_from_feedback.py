from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('merchants', '0013_old_answers_have_logos'),
    ]

    operations = [
        migrations.AddField(
            model_name='merchant',
            name='published',
            field=models.BooleanField(db_default=True, default=True, editable=False, help_text='Clients see it; one made from feedback not before a ruleset holds it.'),
        ),
    ]
