"""``make chaos``: break things by a schedule, and see that nothing is lost; non-zero if it is."""

import argparse
import random
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.chaos import faults, verdict
from benchmarks.chaos.callers import Callers
from benchmarks.chaos.plant import Plant
from benchmarks.chaos.report import Report
from benchmarks.chaos.watching import WORKER_MB, Watcher

ROOT = Path(__file__).resolve().parents[2]
# Between one fault and the next, in seconds.
PAUSES = (1.0, 3.5)
# For what is left to be done when nothing is broken any more.
SETTLING_SECONDS = 180
HASTEN_EVERY = 3.0


def main() -> int:
    """Run once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="how long things are broken")
    parser.add_argument("--seed", type=int, default=20261124)
    parser.add_argument("--rate", type=float, default=12.0, help="posts per second")
    parser.add_argument("--broker", choices=["orm", "redis"], default="orm")
    parser.add_argument("--supervisors", type=int, default=2)
    parser.add_argument("--each", type=int, default=0, help="do each fault so often at least")
    parser.add_argument("--only", nargs="*", help="faults, by parts of their names")
    parser.add_argument("--report", type=Path, default=ROOT / "var" / "chaos.json")
    parser.add_argument("--logs", type=Path, help="keep the processes' logs in this file")
    options = parser.parse_args()
    console = Console(width=max(110, Console().width))
    report = Report(options.seed, options.seconds, options.broker, options.supervisors)
    columns = (
        TextColumn("{task.description:<26}"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[state]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("starting", total=options.seconds, state="")
        with Plant(options.broker, options.supervisors) as plant:
            try:
                _run(plant, report, options, progress, bar)
            finally:
                if options.logs:
                    options.logs.write_text(plant.stack.logs())
    report.show(console)
    report.write(options.report)
    console.print(f"Written to {options.report}.")
    return 0 if report.held else 1


def _run(
    plant: Plant, report: Report, options: argparse.Namespace, progress: Progress, bar: int
) -> None:
    dice = random.Random(options.seed)
    callers = Callers(plant, rate=options.rate, seed=options.seed)
    watcher = Watcher(plant)
    scene = faults.Scene(plant, callers, dice)
    callers.start()
    watcher.start()
    undone = []
    begun = time.monotonic()
    chosen = [
        name
        for name in faults.FAULTS
        if not options.only or any(part in name for part in options.only)
    ]
    for name in faults.schedule(dice):
        pause = dice.uniform(*PAUSES)
        if name not in chosen:
            continue
        time.sleep(pause)
        rarer = [one for one in chosen if report.faults[one] < options.each]
        if time.monotonic() - begun > options.seconds * (2 if rarer else 1):
            undone += [f"{one}: {report.faults[one]} times" for one in rarer]
            break
        state = f"{report.faults.total()} faults, longest stall {watcher.longest:.0f} s"
        progress.update(bar, completed=time.monotonic() - begun, description=name, state=state)
        try:
            report.faults[name] += _break(scene, name)
        except Exception as error:
            undone.append(f"{name}: {type(error).__name__}: {error}")
    progress.update(bar, completed=options.seconds, description="settling")
    callers.stop()
    settled = _settle(plant, watcher)
    watcher.stop()
    left = plant.stop_clusters()
    evidence = verdict.gather(plant, callers.notes)
    report.promises = [
        *verdict.judge(plant, evidence),
        verdict.promise("Nothing is answered 500", verdict.answered_500(plant, callers.notes)),
        verdict.promise(
            f"No worker takes more than {WORKER_MB} MB",
            [watcher.largest_worker] if watcher.largest_worker > WORKER_MB else [],
        ),
        verdict.promise("Clients are told of new URLs", verdict.mails_left(plant)),
        verdict.promise("Each fault could be done", undone),
        verdict.promise("No process outlives its supervisor", left),
        verdict.promise("No key, secret or card number is kept", verdict.secrets_found(plant)),
    ]
    report.stalls = {kind: round(stall.longest, 1) for kind, stall in watcher.stalls.items()}
    report.answers = dict(callers.notes.answers.most_common())
    report.figures = {
        "requests answered 202": len(callers.notes.accepted)
        + sum(rows for _, rows in callers.notes.batches.values()),
        "messages received": len(evidence.messages),
        "duplicates, with the same webhook-id": verdict.duplicates(evidence),
        "largest worker, in MB": round(watcher.largest_worker),
        "mails taken": plant.mail_server.taken,
        "slowest answer to a post, in seconds": round(callers.notes.slowest, 2),
        "seconds until all was done, once nothing was broken": round(settled, 1),
    }


def _break(scene: faults.Scene, name: str) -> bool:
    """Do one fault; the database that it looks into may be away because of another.

    Returns:
        Whether there was anything to break.
    """
    for _ in range(2):
        try:
            return faults.FAULTS[name](scene)
        except Exception as error:
            sys.stderr.write(f"{name}: {type(error).__name__}: {error}\n")
            time.sleep(1)
    return faults.FAULTS[name](scene)


def _settle(plant: Plant, watcher: Watcher) -> float:
    """Wait until nothing is left to be done, hastening retries; return how long that took."""
    plant.calm()
    begun = time.monotonic()
    unfinished = (
        "SELECT (SELECT count(*) FROM merchants_normalizationrequest"
        "        WHERE status IN ('queued', 'processing'))"
        " + (SELECT count(*) FROM webhooks_delivery WHERE status IN ('pending', 'delivering'))"
        " + (SELECT count(*) FROM merchants_batch WHERE status = 'processing')"
        " + (SELECT count(*) FROM webhooks_webhook WHERE contact_due_at IS NOT NULL)"
    )
    while time.monotonic() - begun < SETTLING_SECONDS:
        if plant.rows(unfinished)[0][0] == 0:
            break
        plant.hasten()
        plant.calm()
        time.sleep(HASTEN_EVERY)
    return time.monotonic() - begun


if __name__ == "__main__":
    sys.exit(main())
