"""Limits what a web process sends while its caller waits: each holds a thread."""

from pave.core.concurrency import ConcurrencyLimit

TESTS = ConcurrencyLimit(
    limit=3,
    busy="Another test or check of yours is in progress; wait for its answer.",
    full="Too many tests and checks are in progress. Try again in a moment.",
)
