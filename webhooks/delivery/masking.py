"""Keeping secrets out of what is recorded of an endpoint's response. Pure."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from heapq import nlargest
from urllib.parse import quote, quote_plus

from pave.core.card_numbers.masking import masked_value
from webhooks.http.outcome import Outcome
from webhooks.http.signing import MASK

# A shorter one may occur anywhere by chance.
_MIN_SECRET_LENGTH = 6
# Of one header no more parts are looked for, and of all of them no more forms: a response is
# searched for each, and who chooses the headers may choose the response.
_MAX_PARTS = 4
_MAX_FORMS = 150
# So many beginnings of a secret are looked at, at the end of a response.
_MAX_BEGINNINGS = 8
_PARTS = re.compile(r"[^\s=;,\"&:]+")


def without_secrets(outcome: Outcome, headers: Mapping[str, str]) -> Outcome:
    """Return an outcome in which no card number is left, nor the webhook's own headers.

    An endpoint may echo what it was sent, as debug pages do. If the headers have more parts than
    can be looked for, nothing of its response is left.
    """
    secrets = _secrets(headers)

    def masked(text: str) -> str:
        if len(secrets) > _MAX_FORMS:
            return MASK if text else text
        for secret in secrets:
            text = text.replace(secret, MASK)
        return masked_value(_mask_truncated(text, secrets))

    return replace(
        outcome,
        detail=masked(outcome.detail),
        response_headers={
            masked(name): masked(value) for name, value in outcome.response_headers.items()
        },
        response_head=masked(outcome.response_head),
    )


def _mask_truncated(text: str, secrets: Sequence[str]) -> str:
    """Mask the beginning of a secret at the end of a truncated response."""
    for secret in secrets:
        beginning = secret[:_MIN_SECRET_LENGTH]
        first = index = text.find(beginning, max(0, len(text) - len(secret)))
        for _ in range(_MAX_BEGINNINGS):
            if index < 0:
                break
            if secret.startswith(text[index:]):
                return text[:index] + MASK
            index = text.find(beginning, index + 1)
        if index >= 0:
            return text[:first] + MASK
    return text


def _secrets(headers: Mapping[str, str]) -> list[str]:
    """Return what may be secret in a webhook's own headers, in the forms a response may have.

    Of `Bearer x` x too, and of `session=x; y="z"` x and z; the longest first.
    """
    parts = {
        part
        for value in headers.values()
        for part in (
            value.strip(),
            value.strip().partition(" ")[2],
            *nlargest(_MAX_PARTS, _PARTS.findall(value), key=len),
        )
        if len(part) >= _MIN_SECRET_LENGTH
    }
    forms = {
        form
        for part in parts
        for form in (part, json.dumps(part)[1:-1], html.escape(part), quote(part), quote_plus(part))
    }
    return sorted(forms, key=len, reverse=True)
