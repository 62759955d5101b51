"""Limits on concurrent uploads and downloads of batches, so that other posts do not wait for them.

Each holds a thread of the web server from its first byte on, and keeps a CPU busy. So a client has
one of a kind at a time in a process; a process has few (pave/gunicorn.py counts them) and works on
two of a kind at a time; and only one upload of a client is processed at a time in all processes
(``batches.accept``).
"""

from collections.abc import Iterator
from contextlib import ExitStack

from pave.core.concurrency import ConcurrencyLimit, WorkLimit

_FULL = "Too many batches are being uploaded. Try again in a moment."
_FULL_OF_READERS = "Too many results are being downloaded. Try again in a moment."

UPLOADS = ConcurrencyLimit(
    limit=4,
    busy="Another batch of yours is being uploaded. Send this one when that is done.",
    full=_FULL,
)
UPLOAD_TURNS = WorkLimit(limit=2, full=_FULL)
DOWNLOADS = ConcurrencyLimit(
    limit=4,
    busy="Other results of yours are being downloaded. Read these when that is done.",
    full=_FULL_OF_READERS,
)
DOWNLOAD_TURNS = WorkLimit(limit=2, full=_FULL_OF_READERS)
# How long uploads wait for a free slot, in seconds.
WAIT_SECONDS = 20.0


class Download:
    """A stream that holds a slot among the downloads until it is closed.

    Args:
        client_pk: The client that reads it, by primary key.
        parts: The stream's content.

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
        with DOWNLOAD_TURNS.slot(wait=None):  # others hold it only as long as a part takes
            return next(self._parts)

    def close(self) -> None:
        """Release the slot; the web server calls it however the stream ends."""
        self._slot.close()
