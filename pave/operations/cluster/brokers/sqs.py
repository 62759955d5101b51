"""django-q2's broker for Amazon SQS, adapted to Pave (``PAVE_BROKER=sqs``).

The original looks up its queue in each call, and caches the queue's size for ever.
"""

import os
import threading
from functools import lru_cache
from typing import Any

from django_q.brokers import aws_sqs

# Others may have queues of these names in the same account.
PREFIX = "pave-"


class SqsBroker(aws_sqs.Sqs):
    """The broker of one queue."""

    def queue_size(self) -> int:
        """Return how many tasks wait, as far as SQS knows."""
        self.queue.load()
        return int(super().queue_size())

    def get_queue(self) -> Any:
        """Return the queue, created if there is none."""
        self.sqs = self.connection.resource("sqs")
        # Returns the existing queue, if there is one.
        return self.sqs.create_queue(QueueName=f"{PREFIX}{self.list_key}")


def broker(list_key: str) -> SqsBroker:
    """Return the broker of a queue: one for each thread, since boto3's resources are no more."""
    return _broker(list_key, os.getpid(), threading.get_ident())


@lru_cache(maxsize=256)
def _broker(list_key: str, process: int, thread: int) -> SqsBroker:
    return SqsBroker(list_key=list_key)
