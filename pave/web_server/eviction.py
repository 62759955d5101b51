"""Which connections end for new ones, when a process has as many as it may."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

# Each look at all takes a while, so that one frees a fiftieth of what the caller has.
_SHARE = 50


def surplus(idle: Mapping[Any, float], queued: Iterable[Any]) -> list[Any]:
    """Return connections of the caller that has most; none only if there are none.

    All strangers are one caller; among them it is the address that has most. Who has just
    connected is a stranger, and not among them unless these have most. Of those of one holder the
    ones that wait for their client end before requests, which are answered sooner or later.

    Args:
        idle: Those that wait for their client, with since when. Each has its ``holder``.
        queued: Those whose requests wait for a thread, the newest of a holder first.
    """
    callers: defaultdict[str, defaultdict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for connection in [*sorted(idle, key=idle.__getitem__), *queued]:
        caller, address = connection.holder
        callers[caller][address].append(connection)
    counts = {caller: sum(map(len, each.values())) for caller, each in callers.items()}
    if not counts:
        return []
    most = max(counts, key=counts.__getitem__)
    addresses = callers[most].values()
    return [max(addresses, key=len).pop(0) for _ in range(max(1, counts[most] // _SHARE))]
