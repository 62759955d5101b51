"""How fast the staff's pages are on a database that has been at work for months.

A million requests and three million attempts unless PAVE_BENCH_REQUESTS says otherwise. Beside each
page's time the indexes of its query plans are noted; a sequential scan of a large table breaks
the promise.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.bench import PRODUCTION, ROOT, Bench
from benchmarks.figures import Bound, Report
from benchmarks.staff_rows import fill

REQUESTS = int(os.environ.get("PAVE_BENCH_REQUESTS", "1_000_000"))
# The promise, at the median.
MOST_MS = 300


def run(bench: Bench, report: Report) -> None:
    """Measure every list, search and the home page."""
    with bench.database() as database:
        begun = time.monotonic()
        fill(database.url, requests=REQUESTS, key=PRODUCTION["FIELD_ENCRYPTION_KEYS"])
        report.notes.append(f"{REQUESTS:,} requests made in {time.monotonic() - begun:.0f} s")
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.pages"],
            cwd=ROOT,
            env={
                **os.environ,
                **PRODUCTION,
                "ALLOWED_HOSTS": "testserver",
                "DATABASE_URL": database.url,
                "PAVE_BENCH_ROUNDS": str(max(bench.rounds, 3)),
            },
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        )
    scans = 0
    for line in done.stdout.splitlines():
        kind, name, rest = line.split("\t")
        if kind == "time":
            figure = report.figure(name, "ms")
            figure.values += [float(value) for value in rest.split()]
            report.bounds.append(Bound(figure, at_most=MOST_MS))
        elif kind == "plan":
            report.notes.append(f"{name}: {rest}")
        elif kind == "scan":
            scans += int(rest)
    figure = report.figure("large tables read as a whole", "")
    figure.values.append(scans)
    report.bounds.append(Bound(figure, at_most=0))


# --- In a process of its own, with Django's settings for that database ---------------------------

LARGE = (
    "merchants_normalizationrequest",
    "merchants_resolution",
    "webhooks_event",
    "webhooks_delivery",
    "webhooks_deliveryattempt",
)


def pages() -> dict[str, str]:
    """Return the URLs by name; ids are those of rows that are there."""
    from django.contrib import admin
    from django.urls import reverse

    from merchants.models import NormalizationRequest
    from webhooks.models import Delivery, Webhook

    request = NormalizationRequest.objects.filter(status="completed").order_by("-id")[5000]
    delivery = Delivery.objects.filter(status="failed").select_related("event").first()
    webhook = Webhook.objects.filter(enabled=True).order_by("id").first()
    search = reverse("admin:search")
    requests = reverse("admin:merchants_normalizationrequest_changelist")
    deliveries = reverse("admin:webhooks_delivery_changelist")
    found = {
        f"home, last {span}": reverse("admin:index") + f"?span={span}"
        for span in ("hour", "day", "week")
    }
    for model in admin.site._registry:
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        found[f"list {model._meta.verbose_name_plural}"] = reverse(f"admin:{name}_changelist")
    for status in ("queued", "processing", "completed", "failed", "canceled"):
        found[f"list requests, {status}"] = f"{requests}?status__exact={status}"
    for status in ("pending", "delivering", "succeeded", "failed", "held", "canceled"):
        found[f"list deliveries, {status}"] = f"{deliveries}?status__exact={status}"
    found |= {
        "list requests, page 150": f"{requests}?p=150",
        "list requests of a client": f"{requests}?client__id__exact={request.client_id}",
        "list requests of a client, failed": f"{requests}?client__id__exact={request.client_id}"
        "&status__exact=failed",
        "list requests, by resolution": f"{requests}?resolution__id__exact={request.resolution_id}",
        "list requests, search by reference": f"{requests}?q={request.reference}",
        "list requests, search by descriptor": f"{requests}?q={request.description[:12]}",
        "list deliveries of a webhook": f"{deliveries}?webhook__id__exact={webhook.pk}",
        "list deliveries of a webhook, failed": f"{deliveries}?webhook__id__exact={webhook.pk}"
        "&status__exact=failed",
        "list resolutions, failed": reverse("admin:merchants_resolution_changelist")
        + "?status__exact=failed",
        "search request id": f"{search}?q={request.pk}",
        "search delivery id": f"{search}?q={delivery.pk}",
        "search webhook-id": f"{search}?q={delivery.event_id}",
        "search reference": f"{search}?q={request.reference}",
        "search descriptor, rare": f"{search}?q={request.description[:-7]}",
        "search descriptor, frequent": f"{search}?q=SHOP",
        "search nothing": f"{search}?q=NO SUCH THING",
        "search URL": f"{search}?q=client-7.example",
        "page of a request": reverse(
            "admin:merchants_normalizationrequest_change", args=[request.pk]
        ),
        "page of a delivery": reverse("admin:webhooks_delivery_change", args=[delivery.pk]),
        "page of a webhook": reverse("admin:webhooks_webhook_change", args=[webhook.pk]),
        "page of a client": reverse("admin:clients_client_change", args=[request.client_id]),
    }
    return found


def measure() -> None:
    """Print times and plans, a line each, for ``run`` to read."""
    from django.contrib.auth.models import User
    from django.core.cache import cache
    from django.db import connection, reset_queries
    from django.test import Client

    user = User.objects.create_superuser("bench")
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    for name, url in pages().items():
        times = []
        for _ in range(int(os.environ.get("PAVE_BENCH_ROUNDS", "3")) + 1):
            cache.clear()
            begun = time.perf_counter()
            response = browser.get(url, secure=True)
            times.append(1000 * (time.perf_counter() - begun))
            if response.status_code not in (200, 302):
                raise SystemExit(f"{url} was answered {response.status_code}")
        _say("time", name, " ".join(f"{value:.1f}" for value in times[1:]))
        connection.force_debug_cursor = True
        reset_queries()
        browser.get(url, secure=True)
        statements = [query["sql"] for query in connection.queries]
        connection.force_debug_cursor = False
        indexes, scanned = _plans(connection, statements)
        _say("plan", name, ", ".join(sorted(indexes)) or "none")
        _say("scan", name, str(len(scanned)))
        if scanned:
            _say("plan", name, "SEQUENTIAL: " + ", ".join(sorted(scanned)))


def _plans(connection: object, statements: list[str]) -> tuple[set[str], set[str]]:
    """Return the indexes on large tables that queries use, and the large tables read as a whole.

    A sequential scan under a LIMIT that stops it early is none of these.
    """
    indexes: set[str] = set()
    scanned: set[str] = set()
    for sql in statements:
        if not sql.lstrip().upper().startswith(("SELECT", "WITH")) or not any(
            table in sql for table in LARGE
        ):
            continue
        with connection.cursor() as cursor:  # type: ignore[attr-defined]  # Django's own, typed as a proxy
            cursor.execute("EXPLAIN (ANALYZE, TIMING OFF) " + sql)
            plan = "\n".join(row[0] for row in cursor.fetchall())
        indexes |= set(re.findall(r"(?:Scan(?: Backward)? using|Index Scan on) (\w+)", plan))
        for table, rows in re.findall(r"Seq Scan on (\w+).*?actual rows=(\d+)", plan):
            if table in LARGE and int(rows) > 20_000:
                scanned.add(table)
    return indexes, scanned


def _say(kind: str, name: str, rest: str) -> None:
    sys.stdout.write(f"{kind}\t{name}\t{rest}\n")


if __name__ == "__main__":
    import django

    sys.path.insert(0, str(Path(ROOT)))
    os.environ["DJANGO_SETTINGS_MODULE"] = "pave.settings"
    django.setup()
    measure()
