"""A batch of 50,000 rows in one request, beside a plain bulk_create of the same rows.

Both write to the same PostgreSQL in the same round. The batch is read, checked and written by a web
process; the other has its rows ready and only writes them.
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import requests

from benchmarks.bench import Bench
from benchmarks.feed import feed
from benchmarks.figures import Bound, Figure, Ratio, Report
from tests.system.stack import ROOT, Stack
from webhooks.receiver.application import Receiver

ROWS = 50_000
MERCHANTS = 2_000
COMPLETE_SECONDS = 900
_TYPES = {"ndjson": "application/x-ndjson", "csv": "text/csv", "json": "application/json"}


def run(bench: Bench, report: Report) -> None:
    """Send it in each form, once a round; have the last one completed."""
    rows = [
        {"description": text, "amount": f"{number % 900}.{number % 100:02d}", "currency": "USD",
         "date": f"2026-11-{1 + number % 28:02d}", "reference": f"r-{number}"}
        for number, (text, _) in enumerate(feed(ROWS, merchants=MERCHANTS))
    ]  # fmt: skip
    plain = report.figure("plain bulk_create", "rows/s")
    rates = {form: report.figure(f"batch, {form}", "rows/s") for form in _TYPES}
    grown = report.figure("growth of the web process", "MB")
    done = report.figure("batch, from post to webhook", "s")
    with bench.database() as database, bench.stack(database) as stack, Receiver() as receiver:
        stack.manage("import_merchants")
        made = stack.create_client("1234", receiver.url())
        stack.start_web()
        file = stack.folder / "rows.ndjson"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        for _ in range(bench.rounds):
            database.rows("TRUNCATE merchants_batch CASCADE")
            plain.values.append(_plain(stack, file))
            for form, rate in rates.items():
                database.rows("TRUNCATE merchants_batch CASCADE")
                with _Growth(stack, grown):
                    rate.values.append(_post(stack, made["api_key"], form, rows))
        begun = time.monotonic()
        stack.start_cluster()
        [message] = receiver.wait_for(1, COMPLETE_SECONDS)
        done.values.append(time.monotonic() - begun)
        counts = json.loads(message.body)["data"]["counts"]
        report.notes.append(f"the one webhook of the last batch says {counts}")
        if counts["completed"] != ROWS:
            raise AssertionError(counts)
    report.ratios.append(Ratio("ndjson / plain bulk_create", rates["ndjson"], plain, at_least=0.4))
    report.ratios.append(Ratio("csv / plain bulk_create", rates["csv"], plain, at_least=0.4))
    report.ratios.append(Ratio("json / plain bulk_create", rates["json"], plain, at_least=0.4))
    report.bounds.append(Bound(grown, at_most=100))


def _post(stack: Stack, key: str, form: str, rows: list[dict[str, str]]) -> float:
    """Return the rows per second of one request."""
    if form == "json":
        body = json.dumps({"transactions": rows})
    elif form == "csv":
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
        body = "\n".join(lines) + "\n"
    else:
        body = "".join(json.dumps(row) + "\n" for row in rows)
    begun = time.monotonic()
    response = requests.post(
        f"{stack.web_url}/v1/batches",
        data=body.encode(),
        headers={"Authorization": f"Api-Key {key}", "Content-Type": _TYPES[form]},
        timeout=120,
    )
    seconds = time.monotonic() - begun
    if response.status_code != 202 or response.json()["counts"]["accepted"] != ROWS:
        raise AssertionError(response.text[:500])
    return ROWS / seconds


def _plain(stack: Stack, file: Path) -> float:
    """Return the rows per second of a plain bulk_create in a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.compared.bulk_create", file],
        cwd=ROOT,
        env={**os.environ, **stack.environ},
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    )
    return ROWS / float(ran.stdout)


class _Growth:
    """By how much the largest web process grows while the body runs."""

    def __init__(self, stack: Stack, figure: Figure) -> None:
        [web] = [
            process
            for process in psutil.Process().children(recursive=True)
            if "gunicorn" in " ".join(process.cmdline()) and process.children()
        ][:1]
        self._workers = web.children()
        self._figure = figure
        self._over = threading.Event()

    def __enter__(self) -> None:
        self._before = {worker: worker.memory_info().rss for worker in self._workers}
        self._peak = 0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()
        self._figure.values.append(self._peak / 1e6)

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            for worker, before in self._before.items():
                self._peak = max(self._peak, worker.memory_info().rss - before)
