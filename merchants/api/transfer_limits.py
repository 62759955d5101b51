"""How many batches are sent, and read, at once, so that they keep nobody else's posts waiting.

Each holds a thread of the web server from its first byte on, and keeps a CPU busy. So a client has
one of a kind at a time in a process, a process has few (pave/gunicorn.py counts them) and works on
two of a kind at a time, and of a client's uploads one is worked on at a time in all processes
(``batches.accept``).
"""

from collections.abc import Iterator
from contextlib import ExitStack

from pave.api.concurrency import ConcurrencyLimit, WorkLimit

_FULL = "Too many batches are being taken. Try again in a moment."
_FULL_OF_READERS = "Too many results are being read. Try again in a moment."

UPLOADS = ConcurrencyLimit(
    limit=4,
    busy="Another batch of yours is being taken. Send this one when that is answered.",
    full=_FULL,
)
UPLOAD_TURNS = WorkLimit(limit=2, full=_FULL)
DOWNLOADS = ConcurrencyLimit(
    limit=4,
    busy="Other results of yours are being read. Read these when that is through.",
    full=_FULL_OF_READERS,
)
DOWNLOAD_TURNS = WorkLimit(limit=2, full=_FULL_OF_READERS)
# How long uploads wait for their turn, in seconds.
WAIT_SECONDS = 20.0


class Download:
    """A stream that holds a slot among the downloads until it is closed.

    Args:
        client_pk: Who reads it, by primary key.
        parts: What is read.

    Raises:
        Busy: There is no free slot.
    """

    def __init__(self, client_pk: int, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._slot = ExitStack()
        self._slot.enter_context(DOWNLOADS.slot(client_pk))

    def __iter__(self) -> "Download":
        return self

    def __next__(self) -> bytes:
        with DOWNLOAD_TURNS.slot(wait=None):  # others work for a part's time only
            return next(self._parts)

    def close(self) -> None:
        """Release the slot; the server of the stream calls it, however that ends."""
        self._slot.close()
