"""How fast one process matches with the whole catalogue, what it takes to start, and what it holds.

Each round is measured in a process of its own, so that start-up and memory are a worker's. Also how
many of a feed's repeats the key finds: merchants by Zipf's law over 100,000 names, with store
numbers and references drawn anew for every row.
"""

import json
import subprocess
import sys

from benchmarks.bench import Bench
from benchmarks.figures import Bound, Report
from tests.system.stack import ROOT

PACK = "from benchmarks.matching_worker import pack; import sys; pack(sys.argv[1])"


def run(bench: Bench, report: Report) -> None:
    """Measure each round in a fresh process."""
    figures = {
        "per_second": report.figure("key and match, new descriptors, one core", "/s"),
        "start_seconds": report.figure("start-up with the whole catalogue", "s"),
        "memory_mb": report.figure("peak memory of the process", "MB"),
        "true_share": report.figure("true share of repeats in the feed", ""),
        "found_share": report.figure("share of the true repeats that the key finds", ""),
        "mixed_share": report.figure("share of rows whose key is another merchant's", ""),
    }
    content = bench.folder / "content"
    subprocess.run([sys.executable, "-c", PACK, content], cwd=ROOT, check=True)
    for number in range(bench.rounds):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.matching_worker", content, str(number)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name, value in json.loads(done.stdout).items():
            figures[name].values.append(value)
    report.bounds += [
        Bound(figures["per_second"], at_least=2000),
        Bound(figures["start_seconds"], at_most=1.5),
        Bound(figures["memory_mb"], at_most=150),
        Bound(figures["found_share"], at_least=0.95),
    ]
