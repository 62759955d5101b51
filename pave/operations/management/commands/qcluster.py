"""``manage.py qcluster``: process requests and deliveries."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from pave.operations.cluster.supervisor import Supervisor
from pave.operations.cluster.wakeup import QUEUES


class Command(BaseCommand):
    help = (
        "Process requests and deliveries until stopped: a cluster for each queue, supervised and "
        "restarted when it stalls. Several may run on several machines."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--queue", choices=QUEUES, help="Run only the cluster of this queue.")

    def handle(self, *args: Any, **options: Any) -> None:
        queues = (options["queue"],) if options["queue"] else QUEUES
        Supervisor(queues).run()
