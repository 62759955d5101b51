"""Clients that keep posting, and write down what was answered 202."""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import requests

from benchmarks.chaos.heuristic import SLOW
from benchmarks.chaos.plant import Plant

# A card number of test tables, which must be found nowhere afterwards.
CARD_NUMBER = "4111111111111111"
_THREADS = 4
_TIMEOUT = 15
_BATCH_ROWS = 20


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request that was answered 202."""

    request_id: str
    client_id: str
    poison: bool


@dataclass
class Notes:
    """What the callers have seen."""

    accepted: list[Accepted] = field(default_factory=list)
    batches: dict[str, tuple[str, int]] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Callers:
    """Threads that post as the clients until they are stopped.

    Args:
        plant: Where to.
        rate: Posts per second, of all together.
        seed: What they post follows from it.
    """

    def __init__(self, plant: Plant, *, rate: float, seed: int) -> None:
        self.notes = Notes()
        self._plant = plant
        self._pause = _THREADS / rate
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(random.Random(seed + number),), daemon=True)
            for number in range(_THREADS)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, after the posts that are under way."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def post(self, client_id: str, description: str, *, poison: bool = False) -> None:
        """Post one transaction to one of the two routes."""
        route = "normalize_merchant" if crc32(description.encode()) % 2 else "v1/normalizations"
        answer = self._send(client_id, route, {"description": description, "amount": "12.99"})
        if answer:
            with self.notes.lock:
                self.notes.accepted.append(Accepted(answer["request_id"], client_id, poison))

    def post_batch(self, client_id: str, descriptions: list[str]) -> None:
        """Post a batch, which tells of each of its rows by a webhook."""
        rows = [{"description": description} for description in descriptions]
        answer = self._send(client_id, "v1/batches", {"transactions": rows, "deliver": "each"})
        if answer:
            with self.notes.lock:
                self.notes.batches[answer["id"]] = (client_id, len(rows))

    def _run(self, dice: random.Random) -> None:
        clients = sorted(self._plant.keys)
        while not self._stopping.wait(self._pause * dice.uniform(0.5, 1.5)):
            client_id = dice.choice(clients)
            throw = dice.random()
            if throw < 0.02:
                self.post_batch(client_id, [_shop(dice) for _ in range(_BATCH_ROWS)])
            elif throw < 0.03:
                self.post(client_id, f"{SLOW} SHOP {dice.randrange(50)}")
            elif throw < 0.05:
                self.post(client_id, f"CARD {CARD_NUMBER} {_shop(dice)}")
            else:
                self.post(client_id, _shop(dice))

    def _send(self, client_id: str, route: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Post once, on a connection of its own; what was not answered was not accepted."""
        begun = time.monotonic()
        try:
            response = self._plant.session().post(
                f"{self._plant.stack.web_url}/{route}",
                json=body,
                headers={"Authorization": f"Api-Key {self._plant.keys[client_id]}"},
                timeout=_TIMEOUT,
            )
            answer = str(response.status_code)
        except requests.Timeout:
            answer = "timed out"
        except requests.ConnectionError:
            answer = "cut off"
        with self.notes.lock:
            self.notes.answers[answer] += 1
            self.notes.slowest = max(self.notes.slowest, time.monotonic() - begun)
        return response.json() if answer == "202" else None


def _shop(dice: random.Random) -> str:
    """Return a descriptor; many shops are asked about again and again."""
    number = int(dice.paretovariate(0.6)) % 100_000
    return f"SHOP {number} #{dice.randrange(3)}"
