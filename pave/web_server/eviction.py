"""Which connections end for new ones, when a process has as many as it may."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from operator import attrgetter
from typing import Any

# Each look at all takes a while, so that one frees a fiftieth of what the caller has.
_SHARE = 50


def surplus(idle: Collection[Any], queued: Iterable[Any]) -> list[Any]:
    """Return connections of the caller that has most; none only if there are none.

    All strangers are one caller; among them it is the address that has most, and of those that
    have as many, the one that has waited the longest. Who has just connected is a stranger, and not
    among them unless these have most. Of those of one holder the ones that wait for their client
    end before requests, which are answered sooner or later; of these, the newest.

    Args:
        idle: Those that wait for their client. Each has its ``holder``, and ``since``.
        queued: Those whose requests wait for a thread.
    """
    callers: defaultdict[str, defaultdict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for connection in sorted([*idle, *queued], key=attrgetter("since")):
        caller, address = connection.holder
        callers[caller][address].append(connection)
    counts = {caller: sum(map(len, each.values())) for caller, each in callers.items()}
    if not counts:
        return []
    most = max(counts, key=counts.__getitem__)
    ended = []
    for _ in range(max(1, counts[most] // _SHARE)):
        theirs = max(callers[most].values(), key=len)
        waits = (number for number, connection in enumerate(theirs) if connection in idle)
        ended.append(theirs.pop(next(waits, -1)))
    return ended
