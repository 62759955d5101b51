"""What schemathesis has to know beside the description; loaded by SCHEMATHESIS_HOOKS.

Left out are values that only make sense in a certain order: idempotency keys, cursors and waiting
have tests of their own.
"""

from typing import Any
from urllib.parse import urlencode

import schemathesis
from hypothesis import strategies as st
from schemathesis import HookContext

# An endpoint that may be dialled, in the place of those in examples.
ENDPOINT = "http://127.0.0.1:9/webhook"
_ORDERED = {"Idempotency-Key", "Prefer", "client-id", "cursor"}

_WORD = st.text(st.characters(codec="utf-8", exclude_characters='\x00",\r\n'), min_size=1).filter(
    str.strip
)
_CSV = st.lists(_WORD.map(lambda word: f'"{word[:500]}"'), min_size=1).map(
    lambda words: "\n".join(["description", *words]).encode()
)
_NDJSON = st.lists(_WORD.filter(lambda word: "\\" not in word), min_size=1).map(
    lambda words: "".join(f'{{"description": "{_escaped(word)}"}}\n' for word in words).encode()
)
schemathesis.openapi.media_type("text/csv", _CSV)
schemathesis.openapi.media_type("application/x-ndjson", _NDJSON)


@schemathesis.hook
def filter_case(context: HookContext, case: schemathesis.Case) -> bool:
    """Leave out what the web server itself refuses: request lines over 8 KiB.

    And batches in which some rows are wrong: they are taken without these.
    """
    rows = case.body.get("transactions") if isinstance(case.body, dict) else None
    negative = case.meta is not None and case.meta.generation.mode.is_negative
    if negative and isinstance(rows, list) and len(rows) > 1:
        return False
    return len(urlencode(case.query or {}, doseq=True, errors="replace")) < 7000


def _escaped(word: str) -> str:
    return "".join(char if char >= " " else f"\\u{ord(char):04x}" for char in word[:500])


@schemathesis.hook
def before_load_schema(context: HookContext, raw_schema: dict[str, Any]) -> None:
    """Take out what is ordered, and let webhooks point to an address that may be dialled."""
    for path in raw_schema["paths"].values():
        for operation in path.values():
            operation["parameters"] = [
                parameter
                for parameter in operation.get("parameters", [])
                if parameter["name"] not in _ORDERED
            ]
    forms = raw_schema["paths"]["/v1/batches"]["post"]["requestBody"]["content"]
    for media_type in ("text/csv", "application/x-ndjson"):  # made by the strategies above
        forms[media_type].pop("examples")
    # schemathesis passes over the format of what may be null, where it stands in a list.
    transaction = raw_schema["components"]["schemas"]["Transaction"]["properties"]
    transaction["date"] = {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}
    for name in ("CreateWebhook", "NewWebhook", "WebhookChanges"):
        raw_schema["components"]["schemas"][name]["properties"]["url"] = {"enum": [ENDPOINT]}
    raw_schema["components"]["schemas"]["CreateWebhook"]["properties"].pop("client_id")
    window = raw_schema["components"]["schemas"]["Recover"]["properties"]
    window["since"] = {"enum": ["2026-11-20T00:00:00Z"]}
    window.pop("until")
    _replace(raw_schema, "https://client.example/webhooks/pave", ENDPOINT)


def _replace(value: Any, old: str, new: str) -> None:
    """Replace a string wherever it stands."""
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(entries):
        if inner == old:
            value[key] = new
        elif isinstance(inner, dict | list):
            _replace(inner, old, new)
    if isinstance(value, dict) and value.get("url") == new:
        value.pop("client_id", None)
