"""docs/security.md names tests that are there; and what no other test holds of it."""

import re
from pathlib import Path

import pytest
import yaml

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


def test_each_threat_names_a_test():
    rows = re.findall(r"^\|(.+)\|$", (ROOT / "docs/security.md").read_text(), re.MULTILINE)
    threats = [row for row in rows if row.strip(" -|") and not row.startswith(" threat |")]
    assert len(threats) > 40
    assert not [row for row in threats if "`tests/" not in row]


def test_containers_have_no_privilege():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ours = {name: one for name, one in services.items() if one.get("image") == "pave"}
    assert {"web", "quick", "heuristic"} <= ours.keys()
    for service in ours.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
    assert re.search(r"^USER (?!root|0)\w+", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
