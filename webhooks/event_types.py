"""The event types that clients can subscribe to."""

# The public list. The apps above publish them; here they are only names.
EVENT_TYPES = (
    "normalization.completed",
    "normalization.failed",
    "normalization.updated",
    "batch.completed",
    "batch.updated",
    "webhook.test",
)
TEST = "webhook.test"
GROUPS = tuple(sorted({kind.partition(".")[0] + ".*" for kind in EVENT_TYPES}))


def is_known(name: str) -> bool:
    """Return whether a webhook may list ``name``: a type, or a group such as ``batch.*``."""
    return name in EVENT_TYPES or name in GROUPS


def is_group(name: str) -> bool:
    """Return whether ``name`` stands for all types with one beginning."""
    return name in GROUPS
