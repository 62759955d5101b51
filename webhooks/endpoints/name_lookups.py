"""Host names looked up while a caller waits: for a moment only, and one at a time for each.

The system's resolver cannot be interrupted, and a name whose servers are silent keeps it for half
a minute. So each look-up has a thread of its own, which its caller leaves after ``SECONDS``, and a
thread of the web server is held no longer than that. The one that was left costs next to nothing;
until the resolver gives up, its caller has no other.

The threads are daemons, and no pool of the standard library's: a process that ends would wait for
those of a pool.
"""

import ipaddress
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from django.core.cache import cache

from webhooks.endpoints import services
from webhooks.http.address_policy import AddressPolicy, LookUp, Unresolved

SECONDS = 2.0
# Callers that wait at once in a process; each holds a thread of the web server (pave/gunicorn.py).
WAITING = 4
# Look-ups at once in a process, with those that nobody waits for any more. Each is another
# caller's, so it takes as many callers with silent names before one with a good name is refused.
THREADS = 32
# How long the other processes know of a look-up that was not answered in time.
_KNOWN_SECONDS = 10

_ANOTHER = "Another host name of yours is being looked up. Try again when that is over."

Addresses = Sequence[tuple[Any, ...]]

_lock = threading.Lock()
_callers: set[str] = set()
_waiting = 0


class Busy(Exception):
    """There is no look-up now; the message is a sentence for the caller."""


class Full(Busy):
    """That is because of others."""


def policy_for(caller: str) -> AddressPolicy:
    """Return this installation's rules for addresses, with look-ups that ``caller`` can wait for.

    Its ``check_resolves`` raises ``Busy`` too, and ``Unresolved`` where no answer comes in time.

    Args:
        caller: Who has one look-up at a time, such as ``client-7``.
    """
    policy = services.address_policy()
    return replace(policy, look_up=partial(_look_up, policy.look_up, caller))


def _look_up(look_up: LookUp, caller: str, host: str, port: int, **options: Any) -> Addresses:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return look_up(host, port, **options)  # nobody is asked about an address
    answer: Future[Addresses] = Future()

    def run() -> None:
        try:
            found = look_up(host, port, **options)
        except Exception as error:  # raised again by the thread that waits
            _end(caller)
            answer.set_exception(error)
        else:
            _end(caller)
            answer.set_result(found)

    with _waiting_for(caller, threading.Thread(target=run, name="look-up", daemon=True)):
        wait([answer], SECONDS)
    if not answer.done():
        raise Unresolved(
            f"The host name {host} could not be resolved in {SECONDS:g} seconds. "
            "See that its name servers answer, and try again."
        )
    cache.delete(_key(caller))
    return answer.result()


@contextmanager
def _waiting_for(caller: str, thread: threading.Thread) -> Iterator[None]:
    """Start a look-up for a caller that has no other, if there is room to wait for it.

    Raises:
        Busy: The caller has another.
        Full: There is no room.
    """
    global _waiting
    with _lock:
        if caller in _callers:
            raise Busy(_ANOTHER)
        if _waiting >= WAITING or len(_callers) >= THREADS:
            raise Full("Too many host names are being looked up. Try again in a moment.")
        _callers.add(caller)
        _waiting += 1
    try:
        try:
            if not _is_first(caller):
                raise Busy(_ANOTHER)
            thread.start()
        except BaseException:
            _end(caller)
            raise
        yield
    finally:
        with _lock:
            _waiting -= 1


def _end(caller: str) -> None:
    with _lock:
        _callers.discard(caller)


def _is_first(caller: str) -> bool:
    """Return whether no other process has a look-up of the caller's, as far as the cache knows."""
    # A cache that is out of reach takes nothing, and holds nothing against anybody.
    return cache.add(_key(caller), "yes", _KNOWN_SECONDS) or cache.get(_key(caller)) is None


def _key(caller: str) -> str:
    return f"look-up:{caller}"
