"""Active clients, and those whose keys are not accepted."""

import logging

from pave.clients import api_keys
from pave.clients.models import Client

logger = logging.getLogger(__name__)


def activate(*, client: Client) -> None:
    """Accept the client's keys again, but for those that are revoked.

    Raises:
        api_keys.Erasing: It stays inactive.
    """
    _set(client, active=True)


def deactivate(*, client: Client) -> None:
    """Accept none of the client's keys, from a second later on in each process.

    Raises:
        api_keys.Erasing: It is inactive in any case.
    """
    _set(client, active=False)


def _set(client: Client, *, active: bool) -> None:
    if not Client.objects.filter(pk=client.pk, erasing=False).update(active=active):
        raise api_keys.Erasing
    api_keys.drop_cached_keys(client=client)
    logger.info(
        "client.changed",
        extra={"client": client.client_id, "changed": ["active"], "active": active},
    )
