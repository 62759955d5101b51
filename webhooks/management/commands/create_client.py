"""``manage.py create_client``: create a client that can start at once.

It is in this app, not among the clients, since it creates the client's webhook too.
"""

import json
from argparse import ArgumentParser
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from pave.clients import api_keys
from pave.clients.models import Client
from pave.staff import audit
from webhooks.endpoints import services
from webhooks.http.address_policy import AddressError
from webhooks.models import Webhook

record = partial(audit.record_by_command, "create_client")


class Command(BaseCommand):
    help = (
        "Create a client, or complete one; print its new API key, and its webhook's id and secret. "
        "Neither is shown again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("client_id", help="The client's id, such as 1234.")
        parser.add_argument("--name", default="", help="Its name, for people.")
        parser.add_argument("--webhook-url", default="", help="Where its results are posted.")
        parser.add_argument("--json", action="store_true", help="Print only JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        url = options["webhook_url"]
        try:
            if url:
                services.refuse_card_number(url)
                services.address_policy().check_resolves(url)
            with transaction.atomic():
                client = self._client(options["client_id"], options["name"])
                stored_key, key = api_keys.issue(client=client, name="create_client")
                record("issued", stored_key)
                webhook, secret = self._webhook(client, url) if url else (None, None)
        except AddressError as error:
            raise CommandError(f"--webhook-url: {error}") from error
        except api_keys.Erasing as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        created = {
            "client_id": client.client_id,
            "api_key": key,
            "webhook": webhook and {"id": str(webhook.pk), "url": webhook.url, "secret": secret},
        }
        self.stdout.write(json.dumps(created) if options["json"] else _as_text(created))

    def _client(self, client_id: str, name: str) -> Client:
        # Locked, since one that is being erased or deactivated must not be written again.
        existing = Client.objects.select_for_update(no_key=True).filter(client_id=client_id).first()
        client = existing or Client(client_id=client_id)
        renamed = bool(existing and name and name != client.name)
        client.name = name or client.name
        client.full_clean(validate_unique=client._state.adding)
        client.save(update_fields=["name"] if existing else None)
        if existing is None or renamed:
            record("renamed" if existing else "created", client)
        return client

    def _webhook(self, client: Client, url: str) -> tuple[Webhook, str]:
        """Create the webhook; an existing one with this URL gets a new secret to show."""
        services.lock(client)  # the same command may run concurrently
        webhook = Webhook.objects.for_client(client).filter(url=url).first()
        if webhook is None:
            webhook, secret = services.create(client=client, url=url)
            record("created", webhook)
        else:
            secret = services.rotate_secret(webhook=webhook)
            record("rotated the secret of", webhook)
        return webhook, secret


def _as_text(created: dict[str, Any]) -> str:
    lines = [f"Client          {created['client_id']}", f"API key         {created['api_key']}"]
    if created["webhook"]:
        lines += [
            f"Webhook         {created['webhook']['url']}",
            f"Webhook id      {created['webhook']['id']}",
            f"Signing secret  {created['webhook']['secret']}",
        ]
    return "\n".join([*lines, "Copy these now: the key and the secret are not shown again."])
