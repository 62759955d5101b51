"""The fault tests: ``make chaos``. Pave at work while everything it stands on breaks.

What was answered 202 must reach its end, and its webhook must arrive, signed, at its own client,
whatever dies meanwhile. ``faults`` breaks things by a schedule that a seed settles, ``callers``
posts, ``receiver`` writes down every message, ``watching`` measures stalls, and ``verdict`` holds
the rows, the messages and the callers' own notes against each other at the end.
"""
