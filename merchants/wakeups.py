"""The bells that wake those who admit requests and those who run the heuristic."""

from pave.operations.cluster.wakeup import Bell

ADMIT = Bell(task="merchants.tasks.admit", queue="quick")
# What admission has set aside is looked at where nothing else waits for it.
SUSPECTS = Bell(task="merchants.tasks.admit_suspects", queue="heuristic", flag=False, once=True)
CANCEL = Bell(task="merchants.tasks.cancel_batches", queue="quick", flag=False, once=True)
# One for every worker that shall run.
RESOLVE = Bell(task="merchants.tasks.resolve", queue="heuristic", flag=False)
REVISE = Bell(task="merchants.tasks.revise", queue="heuristic", flag=False, once=True)
