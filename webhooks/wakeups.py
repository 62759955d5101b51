"""Wake-ups of the workers that send webhooks."""

from pave.operations.cluster.wakeup import Wakeup

SEND = Wakeup(task="webhooks.tasks.send", queue="quick")
# Sent by a dispatcher with more work than capacity, to start another one.
HELP = Wakeup(task="webhooks.tasks.help_send", queue="quick", debounced=False)
RECOVER = Wakeup(task="webhooks.tasks.recover", queue="quick", debounced=False, once=True)
SEND_MAILS = Wakeup(task="webhooks.tasks.tell_staff", queue="quick", debounced=False, once=True)
