"""Host name look-ups while a caller waits: bounded in time, and one at a time per caller.

The system's resolver cannot be interrupted, and a name whose servers do not respond keeps it busy
for half a minute. So each look-up has a thread of its own, which its caller abandons after
``SECONDS``; a thread of the web server is held no longer than that. Until the resolver gives up,
the caller gets no other look-up.

The threads are daemons, not a pool of the standard library: a process that ends would wait for
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
# Callers that may wait at once in a process: each holds a thread of the web server
# (pave/gunicorn.py).
MAX_WAITING = 4
# Look-ups at once in a process, with abandoned ones. Each is another caller's, so it takes as many
# callers with unresponsive names before one with a good name is refused.
MAX_LOOKUPS = 32
# How long an abandoned look-up keeps its caller from others in other processes.
_BUSY_SECONDS = 10

_ALREADY_RUNNING = "Another host name of yours is being looked up. Try again when that is over."

Addresses = Sequence[tuple[Any, ...]]

_lock = threading.Lock()
_callers: set[str] = set()
_waiting = 0


class Busy(Exception):
    """No look-up is possible now; the message is a sentence for the caller."""


class Full(Busy):
    """Other callers use all the capacity."""


def policy_for(caller: str) -> AddressPolicy:
    """Return this installation's rules for addresses, with look-ups that ``caller`` can wait for.

    Its ``check_resolves`` raises ``Busy`` too, and ``Unresolved`` where no answer comes in time.

    Args:
        caller: Gets one look-up at a time, such as ``client-7``.
    """
    policy = services.address_policy()
    return replace(policy, look_up=partial(_look_up, policy.look_up, caller))


def _look_up(look_up: LookUp, caller: str, host: str, port: int, **options: Any) -> Addresses:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return look_up(host, port, **options)  # an address needs no look-up
    answer: Future[Addresses] = Future()

    def run() -> None:
        try:
            addresses = look_up(host, port, **options)
        except Exception as error:  # raised again by the thread that waits
            _end(caller)
            answer.set_exception(error)
        else:
            _end(caller)
            answer.set_result(addresses)

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
    """Start a look-up and count its caller as waiting.

    Raises:
        Busy: The caller has another.
        Full: There is no capacity.
    """
    global _waiting
    with _lock:
        if caller in _callers:
            raise Busy(_ALREADY_RUNNING)
        if _waiting >= MAX_WAITING or len(_callers) >= MAX_LOOKUPS:
            raise Full("Too many host names are being looked up. Try again in a moment.")
        _callers.add(caller)
        _waiting += 1
    try:
        try:
            if not _is_only_one(caller):
                raise Busy(_ALREADY_RUNNING)
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


def _is_only_one(caller: str) -> bool:
    """Return whether no other process has a look-up of the caller's, as far as the cache knows."""
    # An unavailable cache says yes to all.
    return cache.add(_key(caller), "yes", _BUSY_SECONDS)


def _key(caller: str) -> str:
    return f"look-up:{caller}"
