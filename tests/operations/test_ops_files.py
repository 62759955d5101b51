"""What docs/ops/ asks Prometheus for is what /metrics gives, and each alarm has its page."""

import json
import re
from pathlib import Path

import pytest
import yaml

from pave.operations.monitoring.metrics import COUNTERS, HISTOGRAMS
from tests.factories import DeliveryFactory, NormalizationRequestFactory, ResolutionFactory

ROOT = Path(__file__).resolve().parents[2]
OPS = ROOT / "docs" / "ops"
RULES = yaml.safe_load((OPS / "alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((OPS / "grafana.json").read_text())


def expressions():
    yield from (rule["expr"] for rule in RULES)
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])


@pytest.mark.django_db
def test_every_metric_that_is_asked_for_is_there(client, settings):
    settings.DEBUG = True
    ResolutionFactory()
    NormalizationRequestFactory()
    DeliveryFactory()
    page = client.get("/metrics").content.decode()
    there = set(re.findall(r"^# TYPE (\w+)", page, re.MULTILINE))
    there |= {f"pave_{name}" for name in [*COUNTERS, *HISTOGRAMS]}
    # Only where clusters are, or have been.
    there |= {"pave_cluster_seen_seconds_ago", "pave_cluster_restarts"}
    for expression in expressions():
        for name in re.findall(r"pave_\w+", expression):
            assert re.sub(r"_(total|bucket|count|sum)$", "", name) in there | {
                one.removesuffix("_total") for one in there
            }, expression


def test_every_alarm_has_its_page():
    pages = re.findall(r"^### (\w+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    alarms = [rule["alert"] for rule in RULES]
    assert set(alarms) <= set(pages)
    for rule in RULES:
        anchor = f"docs/operations.md#{rule['alert'].lower()}"
        assert rule["annotations"]["runbook"] == anchor


def test_panels_do_not_overlap():
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + right, place["y"] + down)
            for right in range(place["w"])
            for down in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
