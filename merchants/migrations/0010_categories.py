"""Categories become words of the published list; those that are none become their MCC's."""

from django.db import migrations, models

import merchants.matching.categories
from merchants.matching.categories import stored_word

CHUNK = 4_000


def rewrite(apps, schema_editor):
    """Go through the merchants in the order of their ids, some at a time.

    Each statement commits by itself, so that no row stays locked; a repeat changes nothing twice.
    """
    rows = apps.get_model("merchants", "Merchant").objects.using(schema_editor.connection.alias)
    last = None
    while True:
        left = rows.filter(pk__gt=last) if last else rows.all()
        chunk = list(left.order_by("pk").values_list("pk", "category", "mccs")[:CHUNK])
        if not chunk:
            return
        last = chunk[-1][0]
        changes = {}
        for pk, old, mccs in chunk:
            new = stored_word(old, mccs)
            if new != old:
                changes.setdefault(new, []).append((pk, old))
        for new, olds in changes.items():
            pks, words = [pk for pk, _ in olds], {old for _, old in olds}
            # Not what staff have changed meanwhile.
            rows.filter(pk__in=pks, category__in=words).update(category=new)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("merchants", "0009_resolutions_keep_no_text"),
    ]

    operations = [
        migrations.AlterField(
            model_name="merchant",
            name="category",
            field=models.CharField(
                blank=True,
                choices=merchants.matching.categories.choices,
                help_text="Empty: the one that its first MCC means.",
                max_length=100,
            ),
        ),
        # The old words are not kept: back means the new words in the old column.
        migrations.RunPython(rewrite, migrations.RunPython.noop, elidable=True),
    ]
