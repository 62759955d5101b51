"""`docker compose up` as it is: a start in order, the sample, a stop that loses nothing."""

import json
import re
from contextlib import suppress

import pytest
import requests

from tests.compose.conftest import Project, wait_until

PAVE = ("web", "quick", "heuristic", "receiver")


def _key(project: Project) -> str:
    shown = re.search(r'\{"client_id": "1234".*\}', project.logs("sample"))
    assert shown
    return str(json.loads(shown[0])["api_key"])


def _post(url: str, key: str, description: str) -> str:
    answer = requests.post(
        f"{url}/normalize_merchant",
        json={"description": description},
        headers={"Authorization": f"Api-Key {key}"},
        timeout=30,
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["request_id"])


def _status(url: str, key: str, request_id: str) -> str:
    """Return the status of a request, "" while the web server is away."""
    with suppress(requests.ConnectionError):
        answer = requests.get(
            f"{url}/v1/normalizations/{request_id}",
            headers={"Authorization": f"Api-Key {key}"},
            timeout=30,
        )
        return str(answer.json()["status"])
    return ""


def test_a_transaction_goes_in_and_its_verified_webhook_comes_out(
    sample: tuple[Project, str],
) -> None:
    project, url = sample
    asked = _post(url, _key(project), "SQ *BLUE BOTTLE COFFEE OAKLAND CA")
    shown = wait_until(lambda: asked in (logs := project.logs("receiver")) and logs, 60)
    assert "Signatures are verified." in shown
    assert "Blue Bottle Coffee" in shown
    assert "not verified" not in shown


@pytest.mark.parametrize("service", PAVE)
def test_a_container_has_no_privileges_and_cannot_change_pave(
    sample: tuple[Project, str], service: str
) -> None:
    project, _ = sample
    status = project.run("exec", "-T", service, "cat", "/proc/self/status")
    facts = dict(line.split(":\t", 1) for line in status.splitlines())
    assert facts["Uid"].split() == ["10001"] * 4
    assert int(facts["CapEff"], 16) == int(facts["CapBnd"], 16) == 0
    assert facts["NoNewPrivs"] == "1"
    write = (
        "touch /pave/pave/settings.py 2> /dev/null && echo written; touch /tmp/x && echo temporary"
    )
    assert project.run("exec", "-T", service, "sh", "-c", write).split() == ["temporary"]


def test_what_was_accepted_outlives_a_stop(sample: tuple[Project, str]) -> None:
    project, url = sample
    key = _key(project)
    asked = {_post(url, key, f"CORNER SHOP {number} OAKLAND CA") for number in range(30)}
    project.run("stop")
    codes = project.exit_codes()
    assert not {service for service in ("db", "redis", *PAVE) if codes[service] == "137"}, codes
    project.run("up", "--detach")

    # Its webhooks may wait for their next attempt: the receiver begins after what sends to it.
    assert wait_until(lambda: {_status(url, key, one) for one in asked} == {"completed"}, 120)
    assert _key(project) == key
