"""docs/webhooks.md says what the code does, and its samples run."""

import json
import re
import subprocess
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import RequestFactory

from tests.factories import SECRET
from webhooks.delivery import endpoint_check
from webhooks.delivery.results import INTERRUPTED
from webhooks.event_types import EVENT_TYPES
from webhooks.http.outcome import ErrorClass
from webhooks.http.signing import signed_headers
from webhooks.models import Webhook
from webhooks.policies.custom_headers import MAX_HEADERS

TEXT = (Path(settings.BASE_DIR) / "docs" / "webhooks.md").read_text()


def sample(heading, language):
    section = TEXT.split(f"### {heading}\n", 1)[1]
    return re.search(rf"```{language}\n(.*?)```", section, re.DOTALL).group(1)


def row(name):
    return re.search(rf"^\| `{re.escape(name)}` \|", TEXT, re.MULTILINE)


@pytest.mark.parametrize("name", [*ErrorClass, INTERRUPTED])
def test_every_error_class_is_explained(name):
    assert row(str(name))


@pytest.mark.parametrize("name", [*EVENT_TYPES, *Webhook.DisabledBy.values])
def test_every_event_and_every_reason_is_explained(name):
    assert row(name)


def test_every_message_of_the_check_is_explained():
    for message in vars(endpoint_check).values():
        if isinstance(message, endpoint_check.CheckMessage):
            assert re.search(
                rf"^\| `{message.name}` \| .* \| {'2xx' if message.accept else '4xx'} \|$",
                TEXT,
                re.MULTILINE,
            )


def test_the_schedule_is_the_one_that_is_kept():
    units = {"s": 1, "min": 60, "h": 3600}
    rows = re.findall(r"^\| \d+ \| (\d+) (s|min|h) \|$", TEXT, re.MULTILINE)
    assert [
        int(number) * units[unit] for number, unit in rows
    ] == settings.PAVE_WEBHOOK_RETRY_SCHEDULE


def test_the_number_of_headers_is_right():
    assert f"up to {MAX_HEADERS}, with values of visible ASCII" in TEXT


def test_the_shell_sample_gives_the_signature_of_the_specification(tmp_path):
    script = sample("Plain shell", "sh")
    done = subprocess.run(
        ["sh", "-c", script],  # noqa: S607 - as the documents have it
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(("secret", "status"), [(SECRET, 204), ("whsec_" + "A" * 44, 400)])
def test_the_python_sample_verifies(monkeypatch, secret, status):
    monkeypatch.setenv("PAVE_WEBHOOK_SECRET", SECRET)
    enqueued = []
    names = {"HttpResponse": HttpResponse, "enqueue": lambda *arguments: enqueued.append(arguments)}
    exec(sample("Python", "python"), names)  # noqa: S102 - as the documents have it
    body = b'{"type":"webhook.test","data":{"name":"Caf\xc3\xa9"}}'
    headers = signed_headers(
        secrets=[secret],
        message_id="msg_1",
        timestamp=int(time.time()),
        body=body,
    )
    request = RequestFactory().post("/", body, content_type="application/json", headers=headers)
    assert names["hook"](request).status_code == status
    assert len(enqueued) == (status == 204)


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_the_receiver_of_the_readme_takes_every_message(client, event_type):
    readme = (Path(settings.BASE_DIR) / "README.md").read_text()
    code = re.search(r"```python\n(.*?)```", readme, re.DOTALL).group(1)
    names = {}
    exec(code.replace("whsec_...", SECRET), names)  # noqa: S102 - as the document has it
    example = client.get("/openapi.json").json()["webhooks"][event_type]["post"]["requestBody"][
        "content"
    ]
    [shown] = example["application/json"]["examples"].values()
    body = json.dumps(shown["value"]).encode()
    headers = signed_headers(
        secrets=[SECRET], message_id="msg_1", timestamp=int(time.time()), body=body
    )
    assert names["receive"](headers, body) == 204
    for signature in ("garbage", "v1,a", "v1,AAAA"):
        assert names["receive"]({**headers, "webhook-signature": signature}, body) == 400
