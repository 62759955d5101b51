"""The cluster's work, done in the process of the test."""

from collections.abc import Callable
from typing import Any

from django.utils import timezone

from merchants.models import NormalizationRequest, Waiter
from merchants.requests import admission, worker


def run_cluster() -> None:
    """Admit and answer whatever is due."""
    while admission.admit_batch() or worker.resolve_due():
        pass


def make_due() -> None:
    """Let no resolution wait for a time."""
    Waiter.objects.update(due_at=timezone.now())


def statuses(**conditions: Any) -> list[str]:
    """Return the statuses of requests, oldest first."""
    requests = NormalizationRequest.objects.filter(**conditions).order_by("id")
    return list(requests.values_list("status", flat=True))


class Died(BaseException):
    """Stands for the end of the process."""


def die_for(description: str) -> Callable[..., None]:
    """Return what to put in place of ``admission._key``: it dies of one text."""
    key = admission._key

    def called(request: NormalizationRequest, *arguments: Any) -> None:
        if request.description == description:
            raise Died
        key(request, *arguments)

    return called
