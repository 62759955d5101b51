"""The commands of docs/api.md run as they are written."""

import json
import re
import subprocess

import pytest

from tests.system.stack import ROOT, Stack
from webhooks.receiver.application import Receiver


@pytest.mark.timeout(120)
def test_the_quick_start_runs_as_written(stack: Stack, endpoint: Receiver) -> None:
    made = stack.create_client("1234", endpoint.url())
    stack.start_cluster()
    page = (ROOT / "docs" / "api.md").read_text()
    commands = re.findall(r"^```bash\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    script = "\necho; echo ---\n".join(["set -eo pipefail", *commands])

    ran = subprocess.run(
        ["bash", "-c", script],  # noqa: S607 - the machine's shell
        env={**stack.environ, "PAVE": stack.web_url, "KEY": made["api_key"]},
        stdout=subprocess.PIPE,
        text=True,
        timeout=90,
    )

    assert ran.returncode == 0, ran.stdout
    _, _, sent, found, repeated, batch, tested, usage = ran.stdout.split("\n---\n")
    assert json.loads(sent)["merchant"]["name"] == "Blue Bottle Coffee"
    assert json.loads(found)["data"][0]["request_id"] == json.loads(sent)["request_id"]
    first, second = repeated.replace("}{", "}\n{").splitlines()
    assert first == second
    assert [line.split(",")[0] for line in batch.splitlines()[1:]] == ["row", "1", "2"]
    assert json.loads(tested)["attempt"]["ok"] is True
    assert json.loads(usage)["normalizations"]["total"] == 4
