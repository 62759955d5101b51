"""Which of the staff's rules a cleaned descriptor meets."""

from collections.abc import Iterable
from typing import Any

import re2

from merchants.matching.text.normalize import words_of
from merchants.matching.types import MatchRule

_ORDER = {"exact": 0, "prefix": 1, "contains": 2, "regex": 3}


class BadExpression(ValueError):
    """A rule's regular expression cannot be used; the message says why."""


def compiled(pattern: str) -> Any:
    """The expression for RE2, which takes linear time on any text; raises BadExpression."""
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    try:
        return re2.compile(pattern, options=options)
    except re2.error as error:
        reason = error.args[0] if error.args else "not understood"
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise BadExpression(text) from error


class RuleBook:
    """Rules in the order in which they are tried: priority (higher first), then the stricter kind.

    Exact, prefix and contains compare folded words (case, accents and punctuation do not count);
    a regular expression is searched in the cleaned descriptor as printed, whatever its case.
    """

    def __init__(self, rules: Iterable[MatchRule]) -> None:
        """Raises BadExpression for a regular expression that RE2 refuses."""
        ordered = sorted(rules, key=lambda rule: (-rule.priority, _ORDER[rule.kind], rule.id))
        self._rules = [
            (rule, compiled(rule.pattern) if rule.kind == "regex" else _folded(rule.pattern))
            for rule in ordered
        ]

    def find(self, text: str, mcc: str, country: str, intermediary: str) -> MatchRule | None:
        """The first rule that the descriptor and its conditions meet."""
        if not self._rules:
            return None
        folded = _folded(text)
        for rule, pattern in self._rules:
            if (
                _meets(rule.kind, pattern, text, folded)
                and rule.mcc in ("", mcc)
                and rule.country in ("", country)
                and rule.intermediary.casefold() in ("", intermediary.casefold())
            ):
                return rule
        return None


def _folded(text: str) -> str:
    return " ".join(words_of(text))


def _meets(kind: str, pattern: Any, text: str, folded: str) -> bool:
    if kind == "regex":
        return pattern.search(text) is not None
    if not pattern:
        return False
    if kind == "exact":
        return bool(folded == pattern)
    return folded.startswith(pattern) if kind == "prefix" else pattern in folded
