"""What became of it all: rows, messages and callers' notes held against each other."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.chaos.callers import CARD_NUMBER, Notes
from benchmarks.chaos.plant import Plant

_SHOWN = 5
_FINAL = ("completed", "failed", "canceled")


@dataclass(frozen=True, slots=True)
class Promise:
    """Something that must hold, and what speaks against it."""

    name: str
    broken: tuple[str, ...]
    count: int

    @property
    def kept(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.count


def promise(name: str, broken: Iterable[object]) -> Promise:
    """Return a promise with the first few of what breaks it."""
    all_broken = [str(one) for one in broken]
    return Promise(name, tuple(all_broken[:_SHOWN]), len(all_broken))


@dataclass
class Evidence:
    """All that is looked at."""

    requests: dict[str, tuple[str, str, str]]
    events: dict[str, tuple[str, str, str]]
    deliveries: list[tuple[str, str, str, int, int]]
    messages: list[dict[str, Any]]
    notes: Notes


def gather(plant: Plant, notes: Notes) -> Evidence:
    """Read everything once."""
    requests = {
        str(pk): (client_id, status, str(batch))
        for pk, client_id, status, batch in plant.rows(
            "SELECT r.id, c.client_id, r.status, r.batch_id FROM merchants_normalizationrequest r"
            " JOIN clients_client c ON c.id = r.client_id"
        )
    }
    events = {
        str(pk): (client_id, event_type, str(subject))
        for pk, client_id, event_type, subject in plant.rows(
            "SELECT e.id, c.client_id, e.type, e.subject_id FROM webhooks_event e"
            " JOIN clients_client c ON c.id = e.client_id"
        )
    }
    deliveries = [
        (str(pk), str(event), status, attempts, rows)
        for pk, event, status, attempts, rows in plant.rows(
            "SELECT d.id, d.event_id, d.status, d.attempts,"
            " (SELECT count(*) FROM webhooks_deliveryattempt a WHERE a.delivery_id = d.id)"
            " FROM webhooks_delivery d"
        )
    ]
    return Evidence(requests, events, deliveries, list(plant.endpoint.messages()), notes)


def judge(plant: Plant, evidence: Evidence) -> list[Promise]:
    """Return every promise, kept or broken."""
    return [
        *_of_requests(evidence),
        *_of_messages(evidence),
        *_of_rows(plant, evidence),
    ]


def duplicates(evidence: Evidence) -> int:
    """Return how many messages were repeats of one that had come before."""
    return len(evidence.messages) - len({one["id"] for one in evidence.messages})


def answered_500(plant: Plant, notes: Notes) -> list[str]:
    """Return how often a call was answered 500, by whom it was made."""
    counts = {"callers": notes.answers["500"], "faults": plant.statuses.count(500)}
    return [f"{count} of {who}" for who, count in counts.items() if count]


def _of_requests(evidence: Evidence) -> Iterable[Promise]:
    requests, notes = evidence.requests, evidence.notes
    in_batches = Counter(batch for _, _, batch in requests.values())
    yield promise(
        "What was answered 202 is there",
        [one for one in notes.accepted if one.request_id not in requests]
        + [
            f"batch {batch}: {in_batches[batch]} of {rows} rows"
            for batch, (_, rows) in notes.batches.items()
            if in_batches[batch] != rows
        ],
    )
    yield promise(
        "Every request is final",
        [f"{pk} is {found[1]}" for pk, found in requests.items() if found[1] not in _FINAL],
    )
    yield promise(
        "Only resolutions that break the heuristic have failed",
        [
            f"{one} is {requests[one.request_id][1]}"
            for one in notes.accepted
            if one.request_id in requests
            and (requests[one.request_id][1] == "failed") != one.poison
        ],
    )
    told = Counter(
        subject for _, event_type, subject in evidence.events.values() if "batch" not in event_type
    )
    yield promise(
        "Each request has one event, and one only",
        [f"{pk} has {told[pk]}" for pk in requests if told[pk] != 1],
    )


def _of_messages(evidence: Evidence) -> Iterable[Promise]:
    by_id: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for message in evidence.messages:
        by_id[message["id"]].append(message)
    taken = {pk for pk, some in by_id.items() if any(one["answer"] == 200 for one in some)}
    yield promise("Every event has arrived", [pk for pk in evidence.events if pk not in taken])
    yield promise(
        "Every message bears a right signature",
        [message for message in evidence.messages if not message["verified"]],
    )
    yield promise("No message was invented", [pk for pk in by_id if pk not in evidence.events])
    yield promise(
        "No message went to another client",
        [
            message
            for pk, some in by_id.items()
            for message in some
            if pk in evidence.events and message["client"] != evidence.events[pk][0]
        ],
    )
    yield promise(
        "A repeat has the same bytes",
        [pk for pk, some in by_id.items() if len({one["digest"] for one in some}) > 1],
    )
    attempts = {event: attempts for _, event, _, attempts, _ in evidence.deliveries}
    # An attempt that is cut off on a connection that was kept sends once more, on a new one.
    cut_off = {pk: sum(not one["answer"] for one in some) for pk, some in by_id.items()}
    yield promise(
        "No message without an attempt on record",
        [
            f"{pk}: {len(some)} messages, {attempts.get(pk, 0)} attempts"
            for pk, some in by_id.items()
            if len(some) > attempts.get(pk, 0) + cut_off[pk]
        ],
    )


def _of_rows(plant: Plant, evidence: Evidence) -> Iterable[Promise]:
    yield promise(
        "Every delivery has succeeded",
        [
            f"{pk} is {status}"
            for pk, _, status, _, _ in evidence.deliveries
            if status != "succeeded"
        ],
    )
    yield promise(
        "Every attempt has its row",
        [
            f"{pk}: {attempts} attempts, {rows} rows"
            for pk, _, _, attempts, rows in evidence.deliveries
            if attempts != rows
        ],
    )
    yield promise(
        "Nothing is sent again after its success was recorded, unless somebody asks for it",
        plant.rows(
            "SELECT a.delivery_id, a.number, later.number FROM webhooks_deliveryattempt a"
            " JOIN webhooks_deliveryattempt later ON later.delivery_id = a.delivery_id"
            " AND later.number > a.number AND later.trigger <> 'manual' WHERE a.error = ''"
        ),
    )
    yield promise(
        "No lease is open",
        plant.rows(
            "SELECT 'resolution', id, claimed_by FROM merchants_resolution"
            " WHERE claimed_by <> '' OR lease_expires_at IS NOT NULL OR status = 'running'"
            " UNION ALL SELECT 'delivery', id, claimed_by FROM webhooks_delivery"
            " WHERE claimed_by <> '' OR lease_expires_at IS NOT NULL OR status = 'delivering'"
        ),
    )
    yield promise(
        "Every batch is completed, its counts right",
        plant.rows(
            "SELECT id, status, accepted, completed, failed FROM merchants_batch"
            " WHERE status <> 'completed' OR accepted <> completed + failed + canceled"
        ),
    )


def mails_left(plant: Plant) -> Sequence[object]:
    """Return webhooks with a change of which no mail has told yet."""
    return plant.rows("SELECT id FROM webhooks_webhook WHERE contact_due_at IS NOT NULL")


def secrets_found(plant: Plant) -> list[str]:
    """Return what must not be there and is: in the database, in Redis, in logs."""
    needles = {f"the API key of {name}": key for name, key in plant.keys.items()}
    needles |= {f"the secret of {name}": secret for name, secret in plant.secrets.items()}
    needles |= {
        f"the secret's bytes of {name}": secret.removeprefix("whsec_")
        for name, secret in plant.secrets.items()
    }
    needles["a card number"] = CARD_NUMBER
    places = {
        "the database": plant.servers.dump(),
        "Redis": plant.servers.redis.dump(),
        "the logs": plant.stack.logs().encode(),
    }
    return [
        f"{name} in {place}"
        for place, text in places.items()
        for name, needle in needles.items()
        if re.search(re.escape(needle.encode()), text)
    ]
