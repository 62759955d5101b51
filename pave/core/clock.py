"""The time that all processes agree on: the database's.

Clocks of machines differ and are set. By its own clock a machine that is ahead would take what
others send for overdue, and send it again; one that is behind would hold back what is due. So each
process reads the database's clock about once a minute, and in between goes on by the seconds since
its machine has booted, a clock that nobody sets. On SQLite all processes are on one machine, and
have its clock.

Nothing helps where the database's own clock is set back, or a server takes over that is behind:
what was due before waits until it is due again. If it is set forward, those who run meanwhile judge
leases late for a while; who starts just then does not know of it.

``django.utils.timezone.now`` is replaced, since fields with ``auto_now``, django-q2's broker and
other libraries ask that, too.
"""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db.backends.signals import connection_created
from django.utils import timezone

# How long a reading is good, in seconds: a bad quartz gains or loses 10 ms in this time.
READ_EVERY = 60.0
# A reading that took longer than this, in seconds, may be as wrong; it is not used if there is one
# that it does not contradict.
MAX_ROUND_TRIP = 0.5

# Longer than leases are, with the default time limits, in seconds.
LONGEST_LEASE = 3600.0

# What the database's clock said, in seconds since 1970, and the seconds since boot at that moment.
_reading: tuple[float, float] | None = None
# By how many seconds it has been set forward, and the seconds since boot when that was noticed.
_step = 0.0, float("-inf")
_asked_at = float("-inf")
_following = False


def follow_database() -> None:
    """Have this process, and those that it forks, go by the database's clock from now on."""
    global _following
    _following = True
    timezone.now = now
    connection_created.connect(_connected)


def now() -> datetime:
    """Return the present; where the database is followed, it is ``timezone.now``.

    Until the first reading, which the first connection makes, it is the machine's.
    """
    return datetime.fromtimestamp(timestamp(), UTC)


def timestamp() -> float:
    """Return the present in seconds since 1970."""
    if (reading := _reading) is None:
        return time.time()  # noqa: TID251 - there is no other yet
    read, since_boot = reading
    return read + _since_boot() - since_boot


def synchronize(*, at_once: bool = False) -> None:
    """Read the database's clock if that was long ago. Never raises.

    Call it now and then where the database is used in any case.

    Args:
        at_once: However long ago it was.
    """
    global _asked_at
    if not _following or (not at_once and _since_boot() - _asked_at < READ_EVERY):
        return
    _asked_at = _since_boot()  # also if it is away, which others will notice
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.connection is not None:
        _read(connection)
    else:
        with suppress(Error):
            connection.ensure_connection()  # which reads it


def leases_ended_by(seconds: float) -> datetime:
    """Return a moment before which a lease must end to have ended, whoever wrote it.

    It is the present, but for a while after this process saw the database's clock set forward:
    until the others have read it again they write leases that look as if they had ended.

    Args:
        seconds: How long the leases are.
    """
    synchronize(at_once=True)
    return now() - timedelta(seconds=seconds_in_doubt(seconds))


def seconds_in_doubt(seconds: float) -> float:
    """Return by how much others' times may be behind, which they wrote within ``seconds``."""
    ahead, noticed_at = _step
    return ahead if _since_boot() - noticed_at < READ_EVERY + seconds else 0.0


def _connected(connection: Any, **kwargs: Any) -> None:
    _read(connection)  # perhaps it is another server than before


def _read(connection: Any) -> None:
    global _reading, _step
    if connection.vendor != "postgresql":
        return
    begun = _since_boot()
    with suppress(Error):
        with connection.cursor() as cursor:
            cursor.execute("SELECT EXTRACT(EPOCH FROM clock_timestamp())")
            read = float(cursor.fetchone()[0])
        ended = _since_boot()
        round_trip = ended - begun
        off = 0.0 if _reading is None else read + round_trip / 2 - timestamp()
        if off > round_trip / 2 + MAX_ROUND_TRIP:
            _step = off + seconds_in_doubt(LONGEST_LEASE), ended
        if _reading is None or round_trip <= MAX_ROUND_TRIP or abs(off) > round_trip / 2:
            _reading = read, (begun + ended) / 2


def _since_boot() -> float:
    """Return the seconds since boot, those included in which the machine was suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
