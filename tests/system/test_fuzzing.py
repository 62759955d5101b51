"""schemathesis against the running service: what is in its description, and what is not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.stack import ROOT, Stack

# `make fuzz` sets more.
EXAMPLES = os.environ.get("PAVE_FUZZ_EXAMPLES", "5")


@pytest.mark.timeout(7200 if "PAVE_FUZZ_EXAMPLES" in os.environ else 300)
@pytest.mark.stack(PAVE_MAX_WAITING="0", LOG_LEVEL="ERROR")
def test_the_service_does_what_its_description_says(stack: Stack) -> None:
    made = json.loads(stack.manage("create_client", "1234", "--json"))
    ran = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            "run", f"{stack.web_url}/openapi.json",
            "--header", f"Authorization: Api-Key {made['api_key']}",
            "--checks", "all",
            "--max-examples", EXAMPLES,
            "--continue-on-failure",
            "--request-timeout", "20",
            "--suppress-health-check", "all",
            "--warnings", "off",
            "--no-color",
        ],
        cwd=stack.folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.system.fuzz_hooks",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    print(ran.stdout)  # noqa: T201 - pytest shows it with a failure
    assert ran.returncode == 0
