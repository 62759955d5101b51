"""Examples for the API's description."""

from typing import Any

from merchants.models import SENT_FIELDS

TRANSACTION = {
    "description": "SQ *BLUE BOTTLE COFFEE OAKLAND CA",
    "amount": "5.25",
    "currency": "USD",
    "date": "2026-11-20",
    "reference": "t-1",
}
SEED_TRANSACTION = {"date": "2021-10-03", "description": "NETFLIX.COM", "amount": "12.99"}
REQUEST_ID = "01970f3e-9c1b-7c52-b0d4-6a4c1f3f9a10"
_MERCHANT_ID = "8f2b6c1e-5d4a-5e0b-9f3c-2a7d8e9b0c1d"
# As a webhook has it.
NORMALIZATION_DATA: dict[str, Any] = {
    "request_id": REQUEST_ID,
    "status": "completed",
    "created_at": "2026-11-20T09:30:00.120000Z",
    "completed_at": "2026-11-20T09:30:00.940000Z",
    "transaction": dict.fromkeys(SENT_FIELDS) | TRANSACTION,
    "metadata": {},
    "merchant": {
        "id": _MERCHANT_ID,
        "name": "Blue Bottle Coffee",
        "website": "https://bluebottlecoffee.com",
        "wikidata": "Q4928917",
        "mcc": "5814",
        "category": {"primary": "food_and_drink", "detailed": "cafe"},
        "logo_url": None,
    },
    "match": {
        "method": "catalogue",
        "confidence": 0.98,
        "descriptor": "BLUE BOTTLE COFFEE",
        "intermediary": "Square",
        "rule": None,
        "ruleset": 7,
    },
    "location": {
        "city": "Oakland",
        "region": "CA",
        "country": "US",
        **dict.fromkeys(("postal_code", "address", "store_number", "phone")),
    },
    "kind": "purchase",
    "channel": "in_store",
    "counterparties": [
        {"type": "merchant", "name": "Blue Bottle Coffee", "id": _MERCHANT_ID},
        {"type": "processor", "name": "Square", "id": None},
    ],
    "error": None,
    "batch": None,
}
NORMALIZATION = {
    **NORMALIZATION_DATA,
    "deliveries": [
        {
            "id": "01970f3e-9f00-7aa1-8a51-0f6f0a4f5c11",
            "webhook": "01970f00-1b2c-7d3e-8f40-5a6b7c8d9e0f",
            "status": "succeeded",
            "attempts": 1,
            "next_attempt_at": None,
        }
    ],
}
_NO_ANSWER = dict.fromkeys(("merchant", "match", "location", "kind", "channel", "counterparties"))
QUEUED = {
    **NORMALIZATION,
    **_NO_ANSWER,
    "status": "queued",
    "completed_at": None,
    "deliveries": [],
}
FAILED_DATA = {
    **NORMALIZATION_DATA,
    **_NO_ANSWER,
    "status": "failed",
    "error": "The heuristic did not answer in time.",
}
BATCH: dict[str, Any] = {
    "id": "01970f40-11aa-7b00-9c00-1234567890ab",
    "status": "processing",
    "deliver": "batch",
    "created_at": "2026-11-20T09:31:00.000000Z",
    "completed_at": None,
    "counts": {
        "accepted": 2,
        "rejected": 1,
        "pending": 2,
        **dict.fromkeys(("completed", "failed", "canceled", "corrected"), 0),
    },
    "errors": [
        {
            "row": 3,
            "line": 4,
            "pointer": "/amount",
            "detail": 'Must be a decimal number, such as "12.99".',
        }
    ],
    "deliveries": [],
}
BATCH_DATA = {
    **{name: value for name, value in BATCH.items() if name != "deliveries"},
    "status": "completed",
    "completed_at": "2026-11-20T09:35:00.000000Z",
    "counts": {**BATCH["counts"], "pending": 0, "completed": 2},
}
NDJSON = (
    '{"description": "NETFLIX.COM", "amount": "12.99"}\n'
    '{"description": "SPOTIFY P1A2B3", "reference": "t-2"}\n'
)
CSV = "description,amount,reference\nNETFLIX.COM,12.99,t-1\n"
CATEGORY = {
    "primary": "food_and_drink",
    "detailed": "fast_food",
    "title": "Fast food",
    "mccs": ["5814"],
    "plaid": "FOOD_AND_DRINK_FAST_FOOD",
}
