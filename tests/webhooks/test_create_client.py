"""manage.py create_client."""

import json

import pytest
from django.core.management import CommandError, call_command

from pave.clients import api_keys
from pave.clients.models import ApiKey, Client
from pave.staff.models import AuditEntry
from webhooks.models import SigningSecret, Webhook

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

HOOK = "http://127.0.0.1:9000/hook"


@pytest.fixture
def create_client(capsys, loopback_allowed):
    def create_client(*arguments):
        call_command("create_client", *arguments)
        return capsys.readouterr().out

    return create_client


def test_json_alone_on_standard_output(create_client):
    output = json.loads(create_client("1234", "--name", "Bank", "--webhook-url", HOOK, "--json"))
    assert set(output) == {"client_id", "api_key", "webhook"}
    assert output["client_id"] == "1234"
    assert api_keys.authenticate(output["api_key"]).client == Client.objects.get()
    webhook = Webhook.objects.get()
    assert output["webhook"] == {
        "id": str(webhook.pk),
        "url": HOOK,
        "secret": SigningSecret.objects.get().secret,
    }
    assert Client.objects.get().name == "Bank"


def test_without_a_webhook_it_is_null(create_client):
    assert json.loads(create_client("1234", "--json"))["webhook"] is None
    assert not Webhook.objects.exists()


def test_in_words_it_shows_the_same(create_client):
    shown = create_client("1234", "--webhook-url", HOOK)
    assert SigningSecret.objects.get().secret in shown
    assert str(Webhook.objects.get().pk) in shown


def test_again_completes_what_is_there(create_client):
    first = json.loads(create_client("1234", "--name", "Bank", "--json"))
    second = json.loads(create_client("1234", "--webhook-url", HOOK, "--json"))
    third = json.loads(create_client("1234", "--webhook-url", HOOK, "--json"))
    assert Client.objects.get().name == "Bank"
    assert ApiKey.objects.count() == 3
    for output in (first, second, third):
        assert api_keys.authenticate(output["api_key"])
    assert Webhook.objects.count() == 1
    assert third["webhook"]["id"] == second["webhook"]["id"]
    assert third["webhook"]["secret"] != second["webhook"]["secret"]
    create_client("1234", "--name", "Bank", "--json")
    create_client("1234", "--name", "Bank & Co", "--json")
    by_command = AuditEntry.objects.filter(username="manage.py create_client").order_by("pk")
    assert list(by_command.values_list("action", "model")) == [
        ("created", "clients.client"),
        ("issued", "clients.apikey"),
        ("issued", "clients.apikey"),
        ("created", "webhooks.webhook"),
        ("issued", "clients.apikey"),
        ("rotated the secret of", "webhooks.webhook"),
        ("issued", "clients.apikey"),
        ("renamed", "clients.client"),
        ("issued", "clients.apikey"),
    ]
    assert all(each["api_key"] not in str(by_command.values()) for each in (first, second, third))


@pytest.mark.parametrize(
    "arguments",
    [
        ["a b"],
        ["-"],
        ["é"],
        ["a" * 65],
        ["1234", "--webhook-url", "nonsense"],
        ["1234", "--webhook-url", "http://10.0.0.1/"],
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(create_client, arguments):
    with pytest.raises(CommandError):
        create_client(*arguments)
    assert not Client.objects.exists()
    assert not ApiKey.objects.exists()
