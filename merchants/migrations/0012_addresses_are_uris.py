"""Web sites and logos of merchants become URIs: blanks are encoded, hosts are in Punycode."""

from django.db import migrations

from merchants.matching.text.uris import as_uri

CHUNK = 4_000


def rewrite(apps, schema_editor):
    """Go through the merchants in the order of their ids, some at a time.

    Each statement commits by itself, so that no row stays locked; a repeat changes nothing twice.
    """
    rows = apps.get_model("merchants", "Merchant").objects.using(schema_editor.connection.alias)
    last = None
    while True:
        left = rows.filter(pk__gt=last) if last else rows.all()
        chunk = list(left.order_by("pk").only("pk", "website", "logo_url", "websites")[:CHUNK])
        if not chunk:
            return
        last = chunk[-1].pk
        for merchant in chunk:
            old = {
                "website": merchant.website,
                "logo_url": merchant.logo_url,
                "websites": merchant.websites,
            }
            new = {
                "website": as_uri(old["website"]),
                "logo_url": as_uri(old["logo_url"]),
                "websites": {land: as_uri(site) for land, site in old["websites"].items()},
            }
            if new != old:
                # Not what staff have changed meanwhile.
                same = rows.filter(pk=merchant.pk, website=old["website"], logo_url=old["logo_url"])
                same.update(**new)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("merchants", "0011_ruleset_changes"),
    ]

    operations = [
        # A URI is an address too: back means that they stay.
        migrations.RunPython(rewrite, migrations.RunPython.noop, elidable=True),
    ]
