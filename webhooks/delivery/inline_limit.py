"""What a web process sends while its caller waits: little at once, since a thread waits too."""

from pave.api.concurrency import Places

TESTS = Places(
    at_once=3,
    another="Another test or check of yours is under way; wait for its answer.",
    full="Too many tests and checks are under way. Try again in a moment.",
)
