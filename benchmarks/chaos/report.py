"""What a run of the fault tests says of itself, for people and for machines."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.chaos.verdict import Promise

LONGEST_STALL = 60.0


@dataclass
class Report:
    """The outcome of one run."""

    seed: int
    seconds: int
    broker: str
    supervisors: int
    faults: Counter[str] = field(default_factory=Counter)
    promises: list[Promise] = field(default_factory=list)
    stalls: dict[str, float] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def longest_stall(self) -> float:
        """The longest stall of any kind, in seconds."""
        return max(self.stalls.values(), default=0.0)

    @property
    def held(self) -> bool:
        """Whether every promise was kept."""
        return all(one.kept for one in self.promises) and self.longest_stall <= LONGEST_STALL

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "seed": self.seed,
            "seconds": self.seconds,
            "broker": self.broker,
            "supervisors": self.supervisors,
            "faults": dict(sorted(self.faults.items())),
            "promises": [asdict(one) | {"kept": one.kept} for one in self.promises],
            "stalls": self.stalls,
            "answers": self.answers,
            "figures": self.figures,
            "faults_in_all": self.faults.total(),
            "longest_stall": self.longest_stall,
            "held": self.held,
        }
        path.write_text(json.dumps(content, indent=1) + "\n")

    def show(self, console: Console) -> None:
        """Print it."""
        faults = Table(
            "survived",
            "times",
            "survived ",
            "times ",
            title=f"{self.faults.total()} faults of {len(self.faults)} kinds, seed {self.seed}",
        )
        names = sorted(self.faults)
        half = (len(names) + 1) // 2
        for number in range(half):
            right = names[half + number] if half + number < len(names) else ""
            faults.add_row(
                names[number],
                str(self.faults[names[number]]),
                right,
                str(self.faults[right]) if right else "",
            )
        console.print(faults)
        promises = Table("promise", "", "what speaks against it")
        for one in self.promises:
            against = f"{one.count}: " + "; ".join(one.broken) if one.count else ""
            promises.add_row(one.name, "[green]kept[/]" if one.kept else "[red]broken[/]", against)
        within = self.longest_stall <= LONGEST_STALL
        promises.add_row(
            f"No stall of more than {LONGEST_STALL:.0f} s",
            "[green]kept[/]" if within else "[red]broken[/]",
            "" if within else f"{self.longest_stall:.1f} s",
        )
        console.print(promises)
        for name, value in self.figures.items():
            console.print(f"  {name}: {value:g}")
        for kind, seconds in self.stalls.items():
            console.print(f"  longest stall of {kind}: {seconds:.1f} s")
        console.print(f"  answers to posts: {self.answers}")
