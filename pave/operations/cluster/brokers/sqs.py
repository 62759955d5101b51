"""django-q2's broker for Amazon SQS, adapted to Pave (``PAVE_BROKER=sqs``).

The original looks up its queue in each call, caches the queue's size for ever, and waits for
minutes where SQS says nothing.
"""

import os
import threading
from functools import lru_cache
from typing import Any

from botocore.config import Config
from django_q.brokers import aws_sqs

# Others may have queues of these names in the same account.
PREFIX = "pave-"
# Whoever sends a wake-up may be answering a request; who receives one waits for it at the queue.
SENDING = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1})
RECEIVING = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1})


class SqsBroker(aws_sqs.Sqs):
    """The broker of one queue."""

    def enqueue(self, task: str) -> str:
        """Add a task and return its id."""
        return str(self._sending_queue.send_message(MessageBody=task)["MessageId"])

    def queue_size(self) -> int:
        """Return how many tasks wait, as far as SQS knows."""
        self._sending_queue.load()
        return int(self._sending_queue.attributes["ApproximateNumberOfMessages"])

    def get_queue(self) -> Any:
        """Return the queue to receive from, created if there is none."""
        sending = self.connection.resource("sqs", config=SENDING)
        # Returns the existing queue, if there is one.
        self._sending_queue = sending.create_queue(QueueName=f"{PREFIX}{self.list_key}")
        self.sqs = self.connection.resource("sqs", config=RECEIVING)
        return self.sqs.Queue(self._sending_queue.url)


def broker(list_key: str) -> SqsBroker:
    """Return the broker of a queue: one for each thread, since boto3's resources are no more."""
    return _broker(list_key, os.getpid(), threading.get_ident())


@lru_cache(maxsize=256)
def _broker(list_key: str, process: int, thread: int) -> SqsBroker:
    return SqsBroker(list_key=list_key)
