"""Matches a cleaned descriptor with the staff's rules."""

from collections.abc import Iterable
from typing import Any

import re2

from merchants.matching.text.normalize import words_of
from merchants.matching.types import MatchRule

_KIND_ORDER = {"exact": 0, "prefix": 1, "contains": 2, "regex": 3}


class InvalidRegex(ValueError):
    """A rule's regular expression is invalid; the message says why."""


def compile_regex(pattern: str) -> Any:
    """Compile an expression with RE2, which takes linear time on any text; raises InvalidRegex."""
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    try:
        return re2.compile(pattern, options=options)
    except re2.error as error:
        reason = error.args[0] if error.args else "not understood"
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise InvalidRegex(text) from error


class RuleMatcher:
    """Rules in the order in which they are tried: priority (higher first), then the stricter kind.

    Exact, prefix and contains compare folded words (case, accents and punctuation do not count);
    a regular expression is searched in the cleaned descriptor as printed, whatever its case.
    """

    def __init__(self, rules: Iterable[MatchRule]) -> None:
        """Raises InvalidRegex for a regular expression that RE2 refuses."""
        ordered = sorted(rules, key=lambda rule: (-rule.priority, _KIND_ORDER[rule.kind], rule.id))
        self._rules = [
            (rule, compile_regex(rule.pattern) if rule.kind == "regex" else _folded(rule.pattern))
            for rule in ordered
        ]

    def first_match(self, text: str, mcc: str, country: str, intermediary: str) -> MatchRule | None:
        """The first rule that matches the text and whose conditions are met."""
        if not self._rules:
            return None
        folded = _folded(text)
        for rule, pattern in self._rules:
            if (
                _matches(rule.kind, pattern, text, folded)
                and rule.mcc in ("", mcc)
                and rule.country in ("", country)
                and rule.intermediary.casefold() in ("", intermediary.casefold())
            ):
                return rule
        return None


def _folded(text: str) -> str:
    return " ".join(words_of(text))


def _matches(kind: str, pattern: Any, text: str, folded: str) -> bool:
    if kind == "regex":
        return pattern.search(text) is not None
    if not pattern:
        return False
    if kind == "exact":
        return bool(folded == pattern)
    return folded.startswith(pattern) if kind == "prefix" else pattern in folded
