"""Pave's sender in a process of its own, for the parts that measure it.

``python -m benchmarks.sending COMMAND OPTIONS`` takes its options as JSON and prints what came of
it as JSON. The database is the one of its environment.
"""

import json
import os
import resource
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local
from typing import Any

import django
import requests

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = {"PAVE_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8", "LOG_LEVEL": "WARNING"}
# Of the size of a normalization.
DATA = {
    "request_id": str(uuid.UUID(int=0)),
    "status": "completed",
    "transaction": {"description": "SQ *BLUE BOTTLE COFFEE OAKLAND CA", "amount": "5.25"},
    "merchant": {"name": "Blue Bottle Coffee", "website": None, "mcc": "5814"},
    "match": {"method": "catalogue", "confidence": 0.98, "descriptor": "BLUE BOTTLE COFFEE"},
}


def tell(environ: dict[str, str], do: str, **options: Any) -> Any:
    """Have a command done in another process, and return what came of it."""
    done = subprocess.run(
        _command(do, options),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=ROOT,
        env=environ | ALLOWED,
    )
    return json.loads(done.stdout)


def start(environ: dict[str, str], do: str, **options: Any) -> "subprocess.Popen[bytes]":
    """Have a command done in another process, without waiting for it."""
    return subprocess.Popen(
        _command(do, options), stdout=subprocess.DEVNULL, cwd=ROOT, env=environ | ALLOWED
    )


def _command(do: str, options: dict[str, Any]) -> list[str]:
    return [sys.executable, "-m", "benchmarks.sending", do, json.dumps(options)]


# --- Commands: each is a function of its options -------------------------------------------------


def prepare(urls: Sequence[str], events: int, max_in_flight: int) -> int:
    """Make a client with a webhook for each URL, and ``events`` deliveries to each."""
    from django.utils import timezone

    from pave.clients.models import Client
    from webhooks.http.signing import generate_secret
    from webhooks.models import Delivery, Event, SigningSecret, Webhook
    from webhooks.publishing import Occurrence, message_body

    client = Client.objects.create(client_id=uuid.uuid4().hex)
    webhooks = Webhook.objects.bulk_create(
        Webhook(client=client, url=url, max_in_flight=max_in_flight) for url in urls
    )
    SigningSecret.objects.bulk_create(
        SigningSecret(webhook=webhook, secret=generate_secret()) for webhook in webhooks
    )
    now = timezone.now()
    kind = "normalization.completed"
    body = message_body(Occurrence(client.pk, kind, uuid.UUID(int=0), DATA), now)
    # In turn, as events of many clients come.
    made = [
        (
            webhook,
            Event(client=client, type=kind, subject_id=uuid.uuid4(), body=body, created_at=now),
        )
        for _ in range(events)
        for webhook in webhooks
    ]
    Event.objects.bulk_create((event for _, event in made), batch_size=1000)
    Delivery.objects.bulk_create(
        (
            Delivery(event=event, webhook=webhook, next_attempt_at=now, created_at=now)
            for webhook, event in made
        ),
        batch_size=1000,
    )
    return len(made)


def prepare_requests(count: int, one_in: int) -> int:
    """Write answered requests of client 1234, and publish a rule that changes one in so many."""
    from django.utils import timezone

    from merchants.catalogue import rulesets
    from merchants.models import Merchant, NormalizationRequest, Revision, Rule
    from merchants.requests import admission, worker
    from pave.clients.models import Client

    client = Client.objects.get(client_id="1234")
    now = timezone.now()
    NormalizationRequest.objects.bulk_create(
        (
            NormalizationRequest(
                client=client,
                created_at=now,
                description=f"ZANZI TRADING {number}"
                if number % one_in == 0
                else f"QUELLO MARKET {number}",
            )
            for number in range(count)
        ),
        batch_size=2000,
    )
    while admission.admit_batch() or worker.resolve_due():
        pass
    Revision.objects.update(status=Revision.Status.DONE)
    merchant = Merchant.objects.create(name="Zanzi")
    Rule.objects.create(kind=Rule.Kind.PREFIX, pattern="zanzi trading", merchant=merchant)
    rulesets.publish(note="benchmark", by="benchmark")
    return count


def prepare_known(count: int) -> int:
    """Write queued requests of client 1234 whose answer is known."""
    from django.utils import timezone

    from merchants.models import NormalizationRequest
    from merchants.requests import admission, submission, worker
    from pave.clients.models import Client

    client = Client.objects.get(client_id="1234")
    submission.submit(client=client, fields={"description": "NETFLIX.COM"})
    while admission.admit_batch() or worker.resolve_due():
        pass
    now = timezone.now()
    NormalizationRequest.objects.bulk_create(
        (
            NormalizationRequest(client=client, created_at=now, description="NETFLIX.COM")
            for _ in range(count)
        ),
        batch_size=2000,
    )
    return count


def admit_all(at: float = 0.0) -> dict[str, float]:
    """Admit what is queued in this process, and say how long it took.

    Args:
        at: Not to begin before, in seconds since 1970: others begin then, too.
    """
    from merchants.catalogue import rulesets
    from merchants.requests import admission

    rulesets.heuristic_for(rulesets.current().number)
    began = _begin(at)
    count = 0
    while admitted := admission.admit_batch():
        count += admitted
    return {"seconds": time.time() - began, "count": count}


def send(threads: int) -> dict[str, float]:
    """Send what is due in this process, until nothing is, and say how long it took."""
    from webhooks.delivery.dispatcher import Dispatcher
    from webhooks.models import Delivery, DeliveryAttempt

    began = time.perf_counter()
    made = Dispatcher(threads=threads).run(seconds=300)
    took = time.perf_counter() - began
    # It lingers for the next row when all is done; that is no part of the work.
    from pave.operations.cluster.work_loop import LINGER_SECONDS

    left = Delivery.objects.exclude(status=Delivery.Status.SUCCEEDED).count()
    rows = DeliveryAttempt.objects.count()
    if left or rows != made:
        failed = DeliveryAttempt.objects.exclude(error="").values_list("error", "detail")
        raise SystemExit(f"{left} left; {made} attempts, {rows} rows; failed: {list(failed)}")
    return {"seconds": took - LINGER_SECONDS, "count": made, "memory_mb": _peak_mb()}


def send_beside(threads: int, at: float) -> dict[str, float]:
    """Send what is due beside other processes, and say how long it took.

    Args:
        threads: How many messages may be under way.
        at: When to begin, in seconds since 1970.
    """
    from pave.operations.cluster.work_loop import LINGER_SECONDS
    from webhooks.delivery.dispatcher import Dispatcher

    sender = Dispatcher(threads=threads)
    began = _begin(at)
    made = sender.run(seconds=300)
    return {"seconds": time.time() - began - LINGER_SECONDS, "count": made}


def send_on() -> None:
    """Send as the cluster does, slice after slice, until this process is ended."""
    from webhooks.delivery.dispatcher import Dispatcher

    while True:
        Dispatcher().run(seconds=600)


def bare(url: str, count: int, threads: int) -> dict[str, float]:
    """Post with plain sessions from a pool of threads, and keep no record of anything."""
    body = json.dumps({"type": "normalization.completed", "data": DATA}).encode()
    headers = {"content-type": "application/json"}
    of_thread = local()

    def post(number: int) -> int:
        if not hasattr(of_thread, "session"):
            of_thread.session = requests.Session()
        return of_thread.session.post(url, data=body, headers=headers, timeout=15).status_code

    began = time.perf_counter()
    if threads == 1:
        statuses = [post(number) for number in range(count)]
    else:
        with ThreadPoolExecutor(threads) as pool:
            statuses = list(pool.map(post, range(count)))
    took = time.perf_counter() - began
    if set(statuses) != {204}:
        raise SystemExit(f"statuses: {set(statuses)}")
    return {"seconds": took, "count": count, "memory_mb": _peak_mb()}


def claims(count: int, room: int) -> list[float]:
    """Claim so many times, putting back in between; return the seconds that each took."""
    from django.utils import timezone

    from webhooks.delivery.claims import Claimer
    from webhooks.delivery.fair_share import Capacity
    from webhooks.models import Delivery

    claimer = Claimer("bench/1/1")
    times = []
    for _ in range(count):
        now = timezone.now()
        began = time.perf_counter()
        claimed = claimer.claim(now=now, capacity=Capacity(room, room, room))
        times.append(time.perf_counter() - began)
        if len(claimed) != room:
            raise SystemExit(f"claimed {len(claimed)} of {room}")
        Delivery.objects.in_flight().update(
            status=Delivery.Status.PENDING, claimed_by="", lease_expires_at=None, attempts=0
        )
    return times


def _begin(at: float) -> float:
    """Wait until it is time, and return the time."""
    time.sleep(max(0.0, at - time.time()))
    return time.time()


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


COMMANDS = {
    command.__name__: command
    for command in (
        prepare,
        prepare_known,
        prepare_requests,
        admit_all,
        send,
        send_beside,
        send_on,
        bare,
        claims,
    )
}


def main() -> None:
    """Do the command that is named, with the options that follow it as JSON."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "pave.settings"
    django.setup()
    print(json.dumps(COMMANDS[sys.argv[1]](**json.loads(sys.argv[2]))))


if __name__ == "__main__":
    main()
