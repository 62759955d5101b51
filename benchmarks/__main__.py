"""``make bench``: measure, compare, print, and write JSON; ends non-zero if a promise is broken."""

import argparse
import json
import platform
import sys
import time
from importlib import import_module
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.bench import Bench, own_peak_memory_mb
from benchmarks.figures import Report

PARTS = (
    "accept",
    "latency",
    "memory",
    "matching",
    "batch",
    "delivery",
    "fairness",
    "scale",
    "quick",
)
# Long, or in need of large tables: only when named.
ON_DEMAND = (
    "backlog", "claim", "cost", "growth", "pages", "retention", "revision", "servers", "soak"
)  # fmt: skip
ROOT = Path(__file__).resolve().parent.parent
BASELINE = Path(__file__).parent / "baseline.json"
# What moved by more than this since the baseline is mentioned; noise here is a tenth or so.
WORSE = 1.2


def main() -> int:
    """Run the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS, *ON_DEMAND], default=[])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=ROOT / "var" / "bench.json")
    parser.add_argument("--save-baseline", action="store_true")
    options = parser.parse_args()
    console = Console(width=max(110, Console().width))
    reports = []
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("Starting", total=len(options.parts or PARTS))
        with Bench(progress, options.rounds) as bench:
            for part in options.parts or PARTS:
                progress.update(bar, description=part)
                begun = time.monotonic()
                report = Report(part)
                import_module(f"benchmarks.{part}").run(bench, report)
                report.notes.append(f"{time.monotonic() - begun:.0f} s for this part")
                reports.append(report)
                progress.advance(bar)
                _show(console, report)
    results = {
        "machine": _machine(),
        "peak_memory_mb": round(own_peak_memory_mb()),
        "parts": {report.part: report.as_json() for report in reports},
    }
    options.json.parent.mkdir(exist_ok=True)
    options.json.write_text(json.dumps(results, indent=1) + "\n")
    _compare(console, results)
    if options.save_baseline:
        _save(results)
    console.print(f"Written to {options.json}.")
    return 0 if all(report.holds for report in reports) else 1


def _show(console: Console, report: Report) -> None:
    table = Table("figure", "median", "low", "high", "unit", title=report.part, title_style="bold")
    for figure in report.figures:
        if figure.values:
            low, high = min(figure.values), max(figure.values)
            table.add_row(
                figure.name, f"{figure.median:,.4g}", f"{low:,.4g}", f"{high:,.4g}", figure.unit
            )
    console.print(table)
    promises = Table("promise", "measured", "bound", "")
    for name, value, at_least, at_most, holds in [
        *((one.name, one.value, one.at_least, one.at_most, one.holds) for one in report.ratios),
        *(
            (one.figure.name, one.figure.median, one.at_least, one.at_most, one.holds)
            for one in report.bounds
        ),
    ]:
        bound = f"≥ {at_least:g}" if at_least is not None else ""
        bound += f"≤ {at_most:g}" if at_most is not None else ""
        verdict = ("[green]kept[/]" if holds else "[red]broken[/]") if bound else ""
        promises.add_row(name, f"{value:.3f}", bound, verdict)
    if promises.row_count:
        console.print(promises)
    for note in report.notes:
        console.print(f"  {note}", style="dim")


def _compare(console: Console, results: dict) -> None:
    """Say which ratios have become worse since the baseline was written."""
    if not BASELINE.exists():
        return
    before = json.loads(BASELINE.read_text())["parts"]
    for part, report in results["parts"].items():
        known = {one["name"]: one for one in before.get(part, {}).get("ratios", [])}
        for ratio in report["ratios"]:
            old = known.get(ratio["name"])
            if not old or not old["value"] or not ratio["value"]:
                continue
            change = ratio["value"] / old["value"]
            worse = 1 / change if ratio["at_least"] is not None else change
            if worse > WORSE:
                console.print(
                    f"[red]worse[/] {part}: {ratio['name']} was {old['value']:.3f}, "
                    f"is {ratio['value']:.3f}"
                )


def _save(results: dict) -> None:
    """Let these results be what later ones are compared with; parts that were not run stay."""
    if BASELINE.exists():
        results = results | {"parts": json.loads(BASELINE.read_text())["parts"] | results["parts"]}
    BASELINE.write_text(json.dumps(results, indent=1) + "\n")


def _machine() -> dict[str, object]:
    return {
        "cpu_count": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "python": platform.python_version(),
        "system": platform.system(),
    }


if __name__ == "__main__":
    sys.exit(main())
