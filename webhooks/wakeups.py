"""The bells that wake those who work on webhooks."""

from pave.operations.cluster.wakeup import Bell

SEND = Bell(task="webhooks.tasks.send", queue="quick")
# A sender that has more to do than it can rings for another one beside it.
HELP = Bell(task="webhooks.tasks.help_send", queue="quick", flag=False)
RECOVER = Bell(task="webhooks.tasks.recover", queue="quick", flag=False, once=True)
TELL_STAFF = Bell(task="webhooks.tasks.tell_staff", queue="quick", flag=False, once=True)
