"""``/metrics`` for Prometheus: the same numbers from every process.

All of them come from the database. So they are exact across web processes and clusters on several
machines, and nothing is lost with a process.
"""

from collections import defaultdict
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from pave.operations.monitoring import counters
from pave.operations.monitoring.access import may_monitor
from pave.operations.monitoring.gauges import gauges

# Names of counters, with the name of their label and their help text.
COUNTERS = {
    "requests": ("status", "Requests that reached a status; queued ones when admitted."),
    "answers": ("method", "Completed requests by how the merchant was found."),
    "memory": ("source", "Requests answered from the cache, and those that waited for a run."),
    "attempts": ("outcome", "Attempts to deliver, by error class, or ok."),
    "deliveries": ("status", "Deliveries that reached a final status."),
    "clusters_lost": ("reason", "Clusters that ended or hung, and were restarted."),
    "workers_lost": ("reason", "Workers that ended in the middle of a task."),
}
HISTOGRAMS = {
    "wait_seconds": "From accepting a request to its answer.",
    "heuristic_seconds": "One run of the heuristic.",
    "attempt_seconds": "One attempt to deliver.",
}


class PaveCollector(Collector):
    """Reads counters and gauges when the metrics are scraped."""

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        counted: dict[str, dict[str, tuple[int, float]]] = defaultdict(dict)
        for name, label, count, total in counters.totals():
            counted[name][label] = (count, total)
        for name, (label_name, text) in COUNTERS.items():
            counter = CounterMetricFamily(f"pave_{name}", text, labels=[label_name])
            for label, (count, _) in counted[name].items():
                counter.add_metric([label], count)
            yield counter
        for name, text in HISTOGRAMS.items():
            yield _histogram(name, text, counted[name])
        families: dict[str, GaugeMetricFamily] = {}
        for gauge in gauges():
            family = families.setdefault(
                gauge.name,
                GaugeMetricFamily(f"pave_{gauge.name}", gauge.text, labels=list(gauge.labels)),
            )
            family.add_metric(list(gauge.labels.values()), gauge.value)
        yield from families.values()


def _histogram(
    name: str, text: str, counted: dict[str, tuple[int, float]]
) -> HistogramMetricFamily:
    buckets: list[tuple[str, float]] = []
    cumulative = 0
    for bound in counters.BOUNDS:
        cumulative += counted.get(f"{bound:g}", (0, 0.0))[0]
        buckets.append((f"{bound:g}", cumulative))
    buckets.append(("+Inf", cumulative + counted.get(counters.BEYOND, (0, 0.0))[0]))
    total = sum(measured for _, measured in counted.values())
    return HistogramMetricFamily(f"pave_{name}", text, buckets=buckets, sum_value=total)


@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics in the format that the scraper prefers; 401 without the token."""
    if not may_monitor(request):
        return HttpResponse(
            "This needs PAVE_METRICS_TOKEN, as Authorization: Bearer …\n",
            content_type="text/plain; charset=utf-8",
            status=401,
            headers={"WWW-Authenticate": 'Bearer realm="metrics"'},
        )
    registry = CollectorRegistry()
    registry.register(PaveCollector())
    try:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
    except (TypeError, ValueError):  # a version that is none
        encode, content_type = choose_encoder("")
    return HttpResponse(encode(registry), content_type=content_type)
