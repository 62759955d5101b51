"""``manage.py evaluate``: score the answers on labelled transactions."""

import csv
import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from merchants.catalogue import importer
from merchants.matching.evaluation import Report, score
from merchants.matching.types import TRANSACTION_FIELDS, Transaction

WORST = 20


class Command(BaseCommand):
    help = "Compare answers with labels: accuracy, precision, coverage, calibration, worst misses."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "labelled",
            type=Path,
            help="CSV with columns description,merchant; optional ones: group, "
            f"{', '.join(TRANSACTION_FIELDS[1:])}.",
        )
        parser.add_argument(
            "--accepted",
            type=Path,
            help="CSV with columns merchant,accepted: other right names, separated by |. By "
            "default aliases.csv beside the labelled file, if it is there.",
        )
        parser.add_argument("--json", action="store_true", help="Print only JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = _rows(options["labelled"], {"description", "merchant"})
        accepted_file = options["accepted"] or options["labelled"].with_name("aliases.csv")
        accepted = {}
        if options["accepted"] or accepted_file.is_file():
            accepted = {
                row["merchant"]: row["accepted"].split("|")
                for row in _rows(accepted_file, {"merchant", "accepted"})
            }
        heuristic = importer.offline_heuristic()
        report = score(
            [(row["description"], row["merchant"], row.get("group") or "") for row in rows],
            [heuristic.match(Transaction.from_json(row)) for row in rows],
            accepted,
        )
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(report), ensure_ascii=False, indent=2))
        else:
            _show(report)


def _rows(path: Path, needed: set[str]) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            if missing := needed - set(reader.fieldnames or []):
                raise CommandError(f"{path} has no column {', '.join(sorted(missing))}.")
            rows = []
            for row in reader:
                if short := [name for name in sorted(needed) if row[name] is None]:
                    raise CommandError(f"{path}, line {reader.line_num}: no {short[0]}.")
                rows.append(row)
            return rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{path}: {error}") from error


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "rows": len(report.rows),
        "accuracy": round(report.accuracy, 4),
        "precision": round(report.precision, 4),
        "coverage": round(report.coverage, 4),
        "calibration": [
            {
                "confidence": [bin_.low, bin_.high],
                "answers": bin_.answers,
                "right": bin_.right,
                "share": round(bin_.share, 4),
            }
            for bin_ in report.calibration()
        ],
        "groups": {
            group: {"rows": count, "accuracy": round(accuracy, 4)}
            for group, (count, accuracy) in report.groups().items()
        },
        "worst": [
            {
                "description": miss.description,
                "label": miss.label,
                "answer": miss.name,
                "confidence": miss.confidence,
            }
            for miss in report.misses[:WORST]
        ],
    }


def _show(report: Report) -> None:
    console = Console()
    console.print(
        f"[bold]{len(report.rows):,}[/] rows   accuracy [bold]{report.accuracy:.3f}[/]   "
        f"precision of answers with an id [bold]{report.precision:.3f}[/]   "
        f"share of answers with an id [bold]{report.coverage:.3f}[/]"
    )
    calibration = Table("confidence", "answers", "right", "share", title="Calibration")
    for bin_ in report.calibration():
        calibration.add_row(
            f"{bin_.low:.2f} to {bin_.high:.2f}",
            str(bin_.answers),
            str(bin_.right),
            f"{bin_.share:.3f}",
        )
    console.print(calibration)
    if any(report.groups()):
        groups = Table("group", "rows", "accuracy", title="By group")
        for group, (count, accuracy) in report.groups().items():
            groups.add_row(group or "-", str(count), f"{accuracy:.3f}")
        console.print(groups)
    misses = Table("description", "right", "answer", "confidence", title="Worst misses")
    for miss in report.misses[:WORST]:
        misses.add_row(miss.description, miss.label, miss.name, f"{miss.confidence:.2f}")
    console.print(misses)
