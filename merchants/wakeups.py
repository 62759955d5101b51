"""What wakes the workers that admit requests and those that run the heuristic."""

from pave.operations.cluster.wakeup import Wakeup

ADMIT = Wakeup(task="merchants.tasks.admit", queue="quick")
# In the heuristic's queue, so that slow ones do not delay other admissions.
SUSPECTS = Wakeup(
    task="merchants.tasks.admit_suspects", queue="heuristic", debounced=False, once=True
)
CANCEL = Wakeup(task="merchants.tasks.cancel_batches", queue="quick", debounced=False, once=True)
# One for each worker that is needed.
RESOLVE = Wakeup(task="merchants.tasks.resolve", queue="heuristic", debounced=False)
REVISE = Wakeup(task="merchants.tasks.revise", queue="heuristic", debounced=False, once=True)
