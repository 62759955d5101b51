"""A Pave that has been at work for a week: rows for the browser tests and the pictures.

``paint`` writes what clients, clusters and endpoints would have left behind.
"""

import json
import math
import random
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from merchants.catalogue import rulesets
from merchants.catalogue.importer import import_records
from merchants.catalogue.sources.shipped import load_shipped
from merchants.models import Feedback, Merchant, NormalizationRequest, Resolution, Rule
from merchants.requests.events import COMPLETED, describe
from merchants.requests.resolutions.answers import MatchedRows, as_json
from pave.clients import api_keys
from pave.clients.models import ApiKey, Client, MonthlyUse
from pave.operations.models import ClusterBeat, Tally
from pave.staff.models import AuditEntry
from webhooks.endpoints import services
from webhooks.models import Delivery, DeliveryAttempt, Event, Webhook

RANDOM = random.Random(7)  # the same pictures every time
CLIENTS = (
    ("1234", "Northwind Bank"),
    ("fjord-pay", "Fjord Pay"),
    ("kiwi-card", "Kiwi Card"),
    ("atlas", "Atlas Budgeting"),
)
DESCRIPTORS = (
    "NETFLIX.COM", "SQ *BLUE BOTTLE COFFEE OAKLAND CA", "AMZN MKTP US*2K4RT1 AMZN.COM/BILL WA",
    "TST* JOES PIZZA 0042 NEW YORK NY", "CHECKCARD 1123 TRADER JOE'S #552 SEATTLE WA",
    "LIDL SAGT DANKE 4711 BERLIN DE", "SPOTIFY P2F1A3 STOCKHOLM", "UBER *TRIP HELP.UBER.COM",
    "POS DEBIT SHELL OIL 57444 AUSTIN TX", "CARTE 12/03 CARREFOUR CITY PARIS", "WHOLEFDS MKT 10203",
    "PAYPAL *STEAMGAMES", "APPLE.COM/BILL 866-712-7753 CA", "TESCO STORES 3324 LONDON GB",
    "IKEA 384 MALMO SE", "STARBUCKS STORE 00231 PORTLAND OR", "DOORDASH*THAI BASIL",
    "KRUSTY BURGER 99 SPRINGFIELD", "ZZ TRATTORIA DA NONNA ROMA IT", "COSTCO WHSE #0110 DENVER CO",
)  # fmt: skip


def paint(now: datetime | None = None, *, endpoint: str = "https://hooks.example.com") -> None:
    """Write the rows.

    Args:
        now: The present.
        endpoint: Where the healthy webhooks point.
    """
    now = now or timezone.now()
    import_records(load_shipped(), note="The catalogue that comes with Pave")
    clients = [_client(client_id, name, now) for client_id, name in CLIENTS]
    webhooks = _webhooks(clients, endpoint, now)
    resolutions = _resolutions()
    requests = _requests(clients, resolutions, now)
    _deliveries(requests, webhooks, now)
    _feedback(requests)
    _draft(clients, webhooks)
    _tallies(webhooks, now)
    for queue, ago in (("quick", 2), ("heuristic", 3)):
        ClusterBeat.objects.create(
            host="pave-worker-1", queue=queue, pid=4100, started_at=now - timedelta(hours=9),
            seen_at=now - timedelta(seconds=ago),
        )  # fmt: skip


def _client(client_id: str, name: str, now: datetime) -> Client:
    client = Client.objects.create(client_id=client_id, name=name, monthly_quota=250_000)
    MonthlyUse.objects.create(client=client, month=now.date().replace(day=1), used=148_230)
    for label, minutes in (("production", 1), ("staging", 4000)):
        key, _ = api_keys.issue(client=client, name=label)
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now - timedelta(minutes=minutes))
    return client


def _webhooks(clients: list[Client], endpoint: str, now: datetime) -> dict[str, Webhook]:
    made = {}
    for name, client, path in (
        ("healthy", clients[0], "/northwind/pave"),
        ("failing", clients[1], "/fjord/normalizations"),
        ("gone", clients[2], "/kiwi/old-endpoint"),
        ("slow", clients[3], "/atlas/in"),
    ):
        made[name], _ = services.create(
            client=client, url=endpoint + path, description=f"{client.name}, production"
        )
    fields: dict[str, dict[str, Any]] = {
        "healthy": {"window": 4, "steady": True},
        "failing": {"failing_since": now - timedelta(hours=19), "breaker_failures": 0},
        "gone": {
            "enabled": False,
            "disabled_by": Webhook.DisabledBy.GONE,
            "disabled_at": now - timedelta(hours=14),
            "staff_told_at": now - timedelta(hours=14),
        },
        "slow": {"window": 2},
    }
    for name, values in fields.items():
        Webhook.objects.filter(pk=made[name].pk).update(**values)
        made[name].refresh_from_db()
    return made


def _resolutions() -> list[Resolution]:
    ruleset = rulesets.current()
    heuristic = rulesets.heuristic_for(ruleset.number)
    made = []
    for descriptor in DESCRIPTORS:
        request = NormalizationRequest(description=descriptor, currency="USD")
        transaction = request.as_transaction()
        match = heuristic.match(transaction)
        merchant = next(iter(MatchedRows.by([match]).merchants.values()), None)
        resolution, _ = Resolution.objects.get_or_create(
            key=heuristic.key(transaction).text,
            ruleset=ruleset,
            defaults={
                "status": Resolution.Status.RESOLVED,
                "attempts": 1,
                "answer": as_json(match, merchant, ruleset.number, None),
                "merchant": merchant,
                "method": match.method,
                "confidence": match.confidence,
                "evidence": list(match.evidence),
                "duration_ms": RANDOM.randint(4, 900),
            },
        )
        made.append(resolution)
    return made


def _requests(
    clients: list[Client], resolutions: list[Resolution], now: datetime
) -> list[NormalizationRequest]:
    requests = []
    for number in range(160, 0, -1):
        place = RANDOM.randrange(len(DESCRIPTORS))
        at = now - timedelta(seconds=number * 37)
        requests.append(
            NormalizationRequest(
                client=RANDOM.choice(clients),
                status=NormalizationRequest.Status.COMPLETED,
                description=DESCRIPTORS[place],
                amount=f"{RANDOM.uniform(2, 180):.2f}",
                currency="USD",
                date=at.date(),
                reference=f"tx-{100_000 + number}",
                resolution=resolutions[place],
                created_at=at,
                completed_at=at + timedelta(seconds=RANDOM.uniform(0.05, 2.5)),
            )
        )
    for failed in requests[20:23]:
        failed.status = NormalizationRequest.Status.FAILED
        failed.error = "The heuristic took longer than 60 s."
    NormalizationRequest.objects.bulk_create(requests)
    return requests


def _deliveries(
    requests: list[NormalizationRequest], webhooks: dict[str, Webhook], now: datetime
) -> None:
    by_client = {webhook.client_id: (name, webhook) for name, webhook in webhooks.items()}
    for request in requests:
        if request.status != NormalizationRequest.Status.COMPLETED or not request.completed_at:
            continue
        name, webhook = by_client[request.client_id]
        at = request.completed_at
        data = describe(request, request.resolution)
        event = Event.objects.create(
            client_id=request.client_id, type=COMPLETED, subject_id=request.pk, created_at=at,
            body=json.dumps(
                {"type": COMPLETED, "timestamp": data["completed_at"],
                 "merchant": {"name": data["merchant"]["name"]},
                 "request_id": data["request_id"], "data": data},
                ensure_ascii=False, separators=(",", ":"),
            ).encode(),
        )  # fmt: skip
        delivery = Delivery(event=event, webhook=webhook, created_at=at)
        _outcome(delivery, name, at, now)


def _outcome(delivery: Delivery, name: str, at: datetime, now: datetime) -> None:
    if name == "gone":
        delivery.status = Delivery.Status.HELD
        delivery.held_by = Webhook.DisabledBy.GONE
        delivery.save()
        return
    if name == "failing":
        delivery.status, delivery.attempts, delivery.step = Delivery.Status.PENDING, 2, 2
        delivery.next_attempt_at = now + timedelta(minutes=RANDOM.randint(3, 29))
        delivery.save()
        for number in (1, 2):
            _attempt(delivery, number, at + timedelta(seconds=6 * (number - 1)), failed=True)
        return
    delivery.status, delivery.attempts = Delivery.Status.SUCCEEDED, 1
    delivery.finished_at = at + timedelta(milliseconds=80)
    delivery.save()
    _attempt(delivery, 1, at, failed=False, slow=name == "slow")


def _attempt(
    delivery: Delivery, number: int, at: datetime, *, failed: bool, slow: bool = False
) -> None:
    milliseconds = RANDOM.randint(2400, 6500) if slow else RANDOM.randint(30, 210)
    DeliveryAttempt.objects.create(
        delivery=delivery,
        number=number,
        url=delivery.webhook.url,
        started_at=at,
        duration_ms=milliseconds,
        resolved_address="203.0.113.24",
        status_code=500 if failed else 200,
        error="http" if failed else "",
        detail="The endpoint answered 500 Internal Server Error." if failed else "",
        request_headers={
            "content-type": "application/json",
            "user-agent": "Pave-Webhooks/1",
            "webhook-id": str(delivery.event_id),
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": "***",
        },
        response_headers={"content-type": "text/html", "server": "nginx/1.25.3"},
        response_head="<h1>Internal Server Error</h1>\nKeyError: 'merchant_id'" if failed else "",
        timings={"dns": 2, "connect": 9, "tls": 21, "first_byte": milliseconds - 3},
    )


def _feedback(requests: list[NormalizationRequest]) -> None:
    for description, name, comment in (
        ("ZZ TRATTORIA DA NONNA ROMA IT", "Trattoria da Nonna", "Our customer complained."),
        ("KRUSTY BURGER 99 SPRINGFIELD", "Krusty Burger", ""),
    ):
        wrong = next(request for request in requests if request.description == description)
        Feedback.objects.create(request=wrong, merchant_name=name, comment=comment)


def _draft(clients: list[Client], webhooks: dict[str, Webhook]) -> None:
    """Leave a change that nobody has published, and a record of what staff did."""
    merchant = Merchant.objects.create(name="Trattoria da Nonna", category="restaurant")
    rule = Rule.objects.create(
        kind=Rule.Kind.CONTAINS, pattern="TRATTORIA DA NONNA", merchant=merchant,
        note="Asked for by Northwind Bank",
    )  # fmt: skip
    for obj, who, action, changes, detail in (
        (clients[0], "anna", "changed", {"monthly_quota": ["100000", "250000"]}, ""),
        (webhooks["slow"], "ben", "send a test", {}, "The test was answered 200 in 2.6 s."),
        (rule, "mira", "added", {"pattern": ["", rule.pattern]}, ""),
        (webhooks["healthy"], "anna", "rotate the secret", {}, "New signing secret: shown once"),
    ):
        AuditEntry.objects.create(
            username=who, action=action, model=obj._meta.label_lower, object_id=str(obj.pk),
            object_name=str(obj), changes=changes, detail=detail, address="198.51.100.7",
        )  # fmt: skip


def _tallies(webhooks: dict[str, Webhook], now: datetime) -> None:
    rows: list[Tally] = []

    def add(
        at: datetime, name: str, label: str, count: float, subject: str = "", total: float = 0
    ) -> None:
        if count >= 1:
            rows.append(
                Tally(at=at, name=name, label=label, subject=subject, count=int(count),
                      total=total, folded=True)
            )  # fmt: skip

    minute = now.replace(second=0, microsecond=0)
    moments = [(minute - timedelta(minutes=back), 1.0) for back in range(26 * 60)]
    hour = minute.replace(minute=0)
    moments += [(hour - timedelta(hours=back), 60.0) for back in range(27, 7 * 24 + 1)]
    for at, weight in moments:
        busy = (
            weight
            * 90
            * (1.2 + math.sin((at.hour - 9) / 24 * 2 * math.pi))
            * RANDOM.uniform(0.8, 1.2)
        )
        hit = RANDOM.uniform(0.55, 0.7)
        add(at, "requests", "queued", busy)
        add(at, "requests", "completed", busy * 0.995)
        add(at, "requests", "failed", busy * 0.002 * RANDOM.random() * 3)
        add(at, "memory", "known", busy * hit)
        add(at, "memory", "waiting", busy * (1 - hit))
        for method, share in zip(
            Resolution.Method.values,
            (0.04, 0.62, 0.08, 0.22, 0.04),
            strict=True,
        ):
            add(at, "answers", method, busy * share)
        for label, share in (
            ("0.05", 0.5),
            ("0.25", 0.3),
            ("1", 0.12),
            ("2.5", 0.06),
            ("10", 0.02),
        ):
            add(at, "wait_seconds", label, busy * share)
            add(at, "heuristic_seconds", label, busy * share * (1 - hit))
        for name, share in (("healthy", 0.5), ("failing", 0.1), ("slow", 0.3)):
            subject, count = str(webhooks[name].pk), busy * share
            bad = count * (0.97 if name == "failing" and at > now - timedelta(hours=19) else 0.01)
            seconds = 3.4 if name == "slow" else 0.07
            add(at, "attempts", "ok", count - bad)
            add(at, "attempts", "http", bad)
            add(at, "deliveries", "succeeded", count - bad)
            add(at, "deliveries", "failed", bad * 0.05)
            if weight == 1 and at.minute % 5:
                continue
            often = count if weight > 1 else count * 5
            fails = bad if weight > 1 else bad * 5
            good = often - fails
            add(at, "webhook_attempts", "ok", good, subject, good * seconds)
            add(at, "webhook_attempts", "http", fails, subject, fails * seconds)
            add(at, "webhook_deliveries", "failed", fails * 0.05, subject)
            add(at, "webhook_seconds", "5" if name == "slow" else "0.1", often * 0.94, subject)
            add(at, "webhook_seconds", "10" if name == "slow" else "0.25", often * 0.06, subject)
    Tally.objects.bulk_create(rows, batch_size=1000)
