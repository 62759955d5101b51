"""``manage.py postman_collection``: the content of docs/pave.postman_collection.json."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from pave.api.openapi.views import description
from pave.api.postman import as_text, collection


class Command(BaseCommand):
    help = "Print the API's description as a Postman collection."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(as_text(collection(json.loads(description()))), ending="")
