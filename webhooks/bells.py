"""The bell that wakes the sender."""

from pave.operations.bell import Bell

SEND = Bell(task="webhooks.tasks.send", queue="quick")
