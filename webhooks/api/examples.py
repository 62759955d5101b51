"""Examples for the API's description."""

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the standard's own example
URL = "https://client.example/webhooks/pave"
WEBHOOK = {
    "id": "01970f00-1b2c-7d3e-8f40-5a6b7c8d9e0f",
    "url": URL,
    "description": "",
    "events": ["normalization.completed", "batch.*"],
    "enabled": True,
    "max_in_flight": 16,
    "headers": {},
    **dict.fromkeys(("disabled_by", "disabled_at", "failing_since")),
    "breaker": {
        "state": "closed",
        "failures": 0,
        "opened_at": None,
        "paused_until": None,
        "window": 4,
    },
    "secrets": [{"created_at": "2026-11-20T09:00:00.000000Z", "expires_at": None}],
    "created_at": "2026-11-20T09:00:00.000000Z",
}
WEBHOOK_WITH_SECRET = {**WEBHOOK, "secret": SECRET}
CREATED = {"client_id": "1234", "url": URL, "webhook_id": WEBHOOK["id"], "secret": SECRET}
