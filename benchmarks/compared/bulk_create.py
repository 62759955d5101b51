"""A plain ``bulk_create`` of the rows of a file, in one transaction; prints the seconds it took."""

import json
import os
import sys
import time
from datetime import date
from pathlib import Path

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "pave.settings"
django.setup()

from django.db import transaction  # noqa: E402 - after django.setup()
from django.utils import timezone  # noqa: E402 - after django.setup()

from merchants.models import NormalizationRequest  # noqa: E402 - after django.setup()
from pave.clients.models import Client  # noqa: E402 - after django.setup()

now = timezone.now()
client = Client.objects.get(client_id="1234")
requests = []
for line in Path(sys.argv[1]).read_text().splitlines():
    fields = json.loads(line)
    fields["date"] = date.fromisoformat(fields["date"])
    requests.append(NormalizationRequest(client=client, created_at=now, **fields))
begun = time.perf_counter()
with transaction.atomic():
    NormalizationRequest.objects.bulk_create(requests)
seconds = time.perf_counter() - begun
# They must not be admitted beside the batch's rows.
NormalizationRequest.objects.filter(batch=None).delete()
print(seconds)
