"""The description passes linters, and clients made from it compile and run the quick start."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pave.api.openapi.views import description
from tests.system.stack import Stack
from webhooks.receiver.application import Receiver

HERE = Path(__file__).parent
NODE = HERE / "node_modules" / ".bin"
PYTHON = Path(os.environ.get("PAVE_TEST_CLIENTS", ""))
GENERATED = HERE / "generated"
OPENAPI = GENERATED / "openapi.json"
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_COLOR": "1"}

pytestmark = pytest.mark.timeout(300)


def run(*command: str | Path, **environ: str) -> str:
    """Run a command and return what it prints; it has to succeed."""
    ran = subprocess.run(
        command,
        cwd=GENERATED,
        env={**os.environ, **QUIET, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


@pytest.fixture(scope="module", autouse=True)
def _description() -> None:
    shutil.rmtree(GENERATED, ignore_errors=True)
    GENERATED.mkdir()
    OPENAPI.write_text(description())


@pytest.fixture(scope="module")
def python_client() -> Path:
    """Generate the Python client; return the folder of its package."""
    folder = GENERATED / "python"
    config = GENERATED / "openapi-python-client.yaml"
    config.write_text("post_hooks: []\n")
    said = run(
        PYTHON / "openapi-python-client", "generate", "--path", OPENAPI, "--config", config,
        "--output-path", folder,
    )  # fmt: skip
    # It knows no bodies of a batch but JSON; nothing else is missing.
    missing = [line for line in said.splitlines() if line.startswith(("WARNING", "Unsupported"))]
    assert missing == [
        "WARNING parsing POST /v1/batches within batches.",
        "Unsupported content type application/x-ndjson",
        "WARNING parsing POST /v1/batches within batches.",
        "Unsupported content type text/csv",
    ]
    return folder


@pytest.fixture(scope="module")
def typescript() -> Path:
    """Generate both clients in TypeScript and compile them; return the folder of JavaScript."""
    run(NODE / "openapi-typescript", OPENAPI, "-o", GENERATED / "fetch.ts")
    config = GENERATED / "openapi-ts.config.mjs"
    config.write_text(
        f"export default {{input: {str(OPENAPI)!r}, logs: {{file: false}}, "
        "output: {path: 'hey_api', module: {extension: '.js'}}};\n"
    )
    run(NODE / "openapi-ts", "--file", config)
    run(NODE / "tsc", "--project", HERE / "tsconfig.json")
    return GENERATED / "js"


def test_redocly_reports_nothing() -> None:
    said = run(NODE / "redocly", "lint", "--extends=recommended", OPENAPI)
    assert "Your API description is valid." in said
    assert "warning" not in said.lower().replace("deprecation warning: node.js", "")


def test_spectral_reports_nothing() -> None:
    ruleset = HERE / "spectral.yaml"
    said = run(NODE / "spectral", "lint", "--fail-severity=hint", "--ruleset", ruleset, OPENAPI)
    assert "No results" in said


def test_the_python_client_passes_mypy(python_client: Path) -> None:
    quick_start = HERE / "quick_start.py"
    run(
        PYTHON / "mypy", "--strict", "--explicit-package-bases", "--config-file=",
        "--cache-dir", GENERATED / "mypy",
        python_client / "pave_client", quick_start,
        MYPYPATH=str(python_client),
    )  # fmt: skip


def beats(stack: Stack) -> int:
    """Return how many clusters have reported that they run."""
    return stack.database.rows("SELECT count(*) FROM operations_clusterbeat")[0][0]


@pytest.mark.parametrize("name", ["python", "quick_start_fetch", "quick_start_hey_api"])
def test_a_client_runs_the_quick_start(
    name: str, stack: Stack, endpoint: Receiver, request: pytest.FixtureRequest
) -> None:
    if name == "python":
        folder = request.getfixturevalue("python_client")
        command = [PYTHON / "python", HERE / "quick_start.py"]
    else:
        folder = request.getfixturevalue("typescript")
        command = ["node", folder / f"{name}.js"]
    made = stack.create_client("1234", endpoint.url())
    stack.start_cluster()
    stack.wait_for(lambda: beats(stack) == 2, 60)  # else what waits 10 s may wait in vain
    run(*command, PAVE=stack.web_url, KEY=made["api_key"], PYTHONPATH=str(folder))
