"""What clients do to their webhooks through the API is on record."""

import pytest

from pave.staff import audit
from pave.staff.models import AuditEntry
from webhooks.api.serializers import ResolvedURLSerializer
from webhooks.endpoints import services
from webhooks.models import Webhook

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

URL = "https://8.8.8.8/hook"


def create(api, url=URL):
    return api.post("/v1/webhooks", {"url": url}, format="json").json()["id"]


def test_what_a_client_does_is_on_record_with_its_address(api, client_1234):
    pk = create(api)
    api.patch(f"/v1/webhooks/{pk}", {"enabled": False}, format="json", REMOTE_ADDR="192.0.2.7")
    api.post("/create_webhook", {"url": "https://9.9.9.9/"}, format="json")
    secret = api.post(f"/v1/webhooks/{pk}/rotate-secret").json()["secret"]
    api.delete(f"/v1/webhooks/{pk}")
    entries = AuditEntry.objects.filter(username="client 1234", object_id=pk).order_by("id")
    assert [entry.action for entry in entries] == [
        "created", "changed", "changed by /create_webhook", "gave a new secret to", "deleted",
    ]  # fmt: skip
    assert secret not in str(list(AuditEntry.objects.values()))
    assert entries[1].address == "192.0.2.7"
    assert entries[1].changes == {"enabled": ["True", "False"]}
    assert entries[2].changes["url"] == [URL, "https://9.9.9.9/"]


def test_what_changes_nothing_is_not_on_record_and_headers_are_without_values(api):
    pk = create(api)
    api.patch(f"/v1/webhooks/{pk}", {}, format="json")
    api.patch(f"/v1/webhooks/{pk}", {"url": URL, "description": ""}, format="json")
    api.patch(f"/v1/webhooks/{pk}", {"headers": {"X-Token": "secret"}}, format="json")
    _, changed = AuditEntry.objects.order_by("id")
    assert changed.changes == {"headers": ["***", "***"]}


def test_a_client_does_not_fill_the_audit_trail(api, monkeypatch):
    monkeypatch.setattr(audit, "MAX_OF_CLIENT", 3)
    pk = create(api)
    for number in range(5):
        api.patch(f"/v1/webhooks/{pk}", {"description": str(number)}, format="json")
    assert AuditEntry.objects.count() == 1 + 3
    api.patch(f"/v1/webhooks/{pk}", {"url": "https://9.9.9.9/"}, format="json")
    assert AuditEntry.objects.latest("id").changes == {"url": [URL, "https://9.9.9.9/"]}


def test_a_refused_change_is_not_on_record(api):
    pk = create(api)
    assert api.patch(f"/v1/webhooks/{pk}", {"url": "x"}, format="json").status_code == 400
    assert AuditEntry.objects.filter(object_id=pk).count() == 1


def test_a_change_of_staff_meanwhile_is_not_the_clients(api, monkeypatch):
    pk = create(api)

    def looked_up(self, attrs):
        services.change(webhook=Webhook.objects.get(pk=pk), fields={"url": "https://9.9.9.9/"})
        return attrs

    monkeypatch.setattr(ResolvedURLSerializer, "validate", looked_up)
    api.patch(f"/v1/webhooks/{pk}", {"description": "new"}, format="json")
    assert AuditEntry.objects.latest("id").changes == {"description": ["", "new"]}
