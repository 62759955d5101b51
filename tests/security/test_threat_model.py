"""docs/security.md names tests that are there; and what no other test holds of it."""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cryptography.fernet import Fernet

ROOT = Path(__file__).resolve().parents[2]
NAMED = sorted(
    set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / "docs/security.md").read_text()))
)


def test_many_are_named():
    assert len(NAMED) > 30


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_test_that_the_threat_model_names_is_there(path, name):
    source = ROOT / path
    assert source.exists()
    assert not name or f"def {name}(" in source.read_text()


@pytest.mark.parametrize("missing", ["SECRET_KEY", "FIELD_ENCRYPTION_KEYS"])
def test_production_does_not_start_with_known_keys(missing):
    environ = {
        **os.environ,
        "DEBUG": "false",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    }
    del environ[missing]
    started = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
    )
    assert started.returncode != 0
    assert missing in started.stderr


def test_containers_have_no_privilege():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ours = {name: one for name, one in services.items() if one.get("image") == "pave"}
    assert {"web", "quick", "heuristic"} <= ours.keys()
    for service in ours.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
    assert re.search(r"^USER (?!root|0)\w+", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
