"""The tables of docs/categories.md; ``python -m tests.merchants.category_tables`` writes them."""

import re
from collections import defaultdict
from pathlib import Path

from merchants.matching.categories import all_categories

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "categories.md"


def the_list() -> str:
    """Return a row for each category."""
    rows = ["| primary | detailed | what it is | MCCs | Plaid |", "| --- | --- | --- | --- | --- |"]
    for one in all_categories():
        mccs = ", ".join(one.mcc_ranges)
        rows.append(
            f"| `{one.primary}` | `{one.detailed}` | {one.title} | {mccs} | `{one.plaid}` |"
        )
    return "\n".join(rows)


def from_plaid() -> str:
    """Return a row for each of Plaid's categories that some of ours are nearest to.

    Its "other" ones begin with ours.
    """
    ours = defaultdict(list)
    for one in sorted(all_categories(), key=lambda one: not one.detailed.startswith("other_")):
        ours[one.plaid].append(f"`{one.detailed}`")
    rows = ["| Plaid | Pave's `detailed` |", "| --- | --- |"]
    rows += [f"| `{plaid}` | {', '.join(words)} |" for plaid, words in sorted(ours.items())]
    return "\n".join(rows)


TABLES = {"The list": the_list, "From Plaid's categories": from_plaid}


def written(text: str) -> str:
    """Return the document with its tables as the data has them."""
    for heading, table in TABLES.items():
        section = re.compile(rf"(## {heading}\n(?:[^|\n].*\n|\n)*)(?:\|.*\n)*")
        text = section.sub(rf"\g<1>{table()}\n", text, count=1)
    return text


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text()))
