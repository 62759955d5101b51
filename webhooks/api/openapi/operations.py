"""The routes about webhooks and deliveries, in the API's description."""

from pave.api.openapi.registry import (
    IDEMPOTENCY_KEY,
    LOCATION,
    PAGING,
    REPLAYED,
    answer,
    content,
    describe,
    identifier,
    number,
    obj,
    one_of,
    operation,
    param,
    ref,
    text,
)
from webhooks.api.openapi.schemas import SECRET, URL, WEBHOOK_EXAMPLE
from webhooks.api.views import deliveries, legacy, webhook_actions, webhooks
from webhooks.endpoints.services import HOUR, MAX_OVERLAP
from webhooks.event_types import EVENT_TYPES, GROUPS
from webhooks.models import Delivery

_WEBHOOK_ID = param("webhook_id", identifier(), where="path")
_DELIVERY_ID = param("delivery_id", identifier(), where="path")
_RECOVERY_ID = param("recovery_id", identifier(), where="path")
_NOTHING = content(obj({}, additionalProperties=False))

_CREATED = obj(
    {
        "client_id": text(),
        "url": text(),
        "webhook_id": identifier(),
        "secret": text("Shown this once."),
    },
    optional=("secret",),
)
_CREATED_EXAMPLE = {"client_id": "1234", "url": URL, "webhook_id": WEBHOOK_EXAMPLE["id"]}

describe(
    legacy.CreateWebhookView,
    post=operation(
        "createWebhookOfFirstVersion",
        "Kept from the first version",
        "Make the client's webhook, or change its URL",
        "Kept for clients of Pave's first version; new ones use `POST /v1/webhooks`.",
        body=content(ref("CreateWebhook"), example={"url": URL, "client_id": "1234"}),
        answers={
            200: answer("Its URL is changed.", content(_CREATED, example=_CREATED_EXAMPLE)),
            201: answer(
                "It is made.",
                content(_CREATED, example={**_CREATED_EXAMPLE, "secret": SECRET}),
            ),
        },
        problems=(409,),
    ),
)
describe(
    webhooks.WebhooksView,
    get=operation(
        "listWebhooks",
        "Webhooks",
        "List webhooks",
        parameters=PAGING,
        answers={200: answer("A page, newest first.", content(ref("WebhookPage")))},
    ),
    post=operation(
        "createWebhook",
        "Webhooks",
        "Make a webhook",
        parameters=[IDEMPOTENCY_KEY],
        body=content(ref("NewWebhook"), example={"url": URL}),
        answers={
            201: answer(
                "It is made; its secret is shown this once.",
                content(ref("WebhookWithSecret"), example={**WEBHOOK_EXAMPLE, "secret": SECRET}),
                {**LOCATION, **REPLAYED},
            )
        },
        problems=(409, 422),
    ),
)
describe(
    webhooks.WebhookView,
    get=operation(
        "getWebhook",
        "Webhooks",
        "Get a webhook",
        parameters=[_WEBHOOK_ID],
        answers={200: answer("As it is now.", content(ref("Webhook"), example=WEBHOOK_EXAMPLE))},
        problems=(404,),
    ),
    patch=operation(
        "changeWebhook",
        "Webhooks",
        "Change a webhook",
        "Changes what the body names. Enabling releases what was held.",
        parameters=[_WEBHOOK_ID],
        body=content(ref("WebhookChanges"), example={"enabled": True}),
        body_required=False,
        answers={200: answer("It is changed.", content(ref("Webhook"), example=WEBHOOK_EXAMPLE))},
        problems=(404, 409),
    ),
    delete=operation(
        "deleteWebhook",
        "Webhooks",
        "Delete a webhook",
        "What waits for it is canceled; what became of earlier messages stays on record.",
        parameters=[_WEBHOOK_ID],
        answers={204: answer("It is deleted.")},
        problems=(404,),
    ),
)
describe(
    webhook_actions.RotateSecretView,
    post=operation(
        "rotateSecret",
        "Webhooks",
        "Give a webhook a new secret",
        "The old one goes on signing beside it for a while.",
        parameters=[_WEBHOOK_ID],
        body=content(
            obj(
                {
                    "overlap_hours": number(
                        "integer",
                        "For how long.",
                        minimum=0,
                        maximum=MAX_OVERLAP // HOUR,
                        default=24,
                    )
                },
                optional=("overlap_hours",),
                additionalProperties=False,
            ),
            example={"overlap_hours": 24},
        ),
        body_required=False,
        answers={
            200: answer(
                "The new secret is shown this once.",
                content(ref("WebhookWithSecret"), example={**WEBHOOK_EXAMPLE, "secret": SECRET}),
            )
        },
        problems=(404, 409),
    ),
)
describe(
    webhook_actions.TestView,
    post=operation(
        "sendTest",
        "Webhooks",
        "Send a test message",
        "Sent at once; the answer tells what came of it.",
        parameters=[_WEBHOOK_ID],
        body=_NOTHING,
        body_required=False,
        answers={200: answer("It was sent.", content(ref("TestResult")))},
        problems=(404, 409),
    ),
)
describe(
    webhook_actions.CheckView,
    post=operation(
        "checkReceiver",
        "Webhooks",
        "Check how an endpoint handles good and bad messages",
        "Sends rightly and wrongly signed messages at once.",
        parameters=[_WEBHOOK_ID],
        body=_NOTHING,
        body_required=False,
        answers={200: answer("The report.", content(ref("CheckReport")))},
        problems=(404, 409),
    ),
)
describe(
    webhook_actions.RecoverView,
    post=operation(
        "recover",
        "Webhooks",
        "Send again what never succeeded",
        parameters=[_WEBHOOK_ID],
        body=content(ref("Recover"), example={"since": "2026-11-20T00:00:00Z", "dry_run": True}),
        answers={
            200: answer("What would be sent.", content(ref("RecoveryCount"))),
            202: answer("It is under way.", content(ref("Recovery")), LOCATION),
        },
        problems=(404, 409),
    ),
)
describe(
    webhook_actions.RecoveryView,
    get=operation(
        "getRecovery",
        "Webhooks",
        "Get how far a recovery is",
        parameters=[_RECOVERY_ID],
        answers={200: answer("As it is now.", content(ref("Recovery")))},
        problems=(404,),
    ),
)
describe(
    deliveries.DeliveriesView,
    get=operation(
        "listDeliveries",
        "Deliveries",
        "List a webhook's deliveries",
        parameters=[
            _WEBHOOK_ID,
            param("status", one_of(Delivery.Status.values)),
            param(
                "event",
                {"anyOf": [one_of([*EVENT_TYPES, *GROUPS]), identifier()]},
                "An event's type, a group such as `batch.*`, or an event's id.",
                example="normalization.completed",
            ),
            *PAGING,
        ],
        answers={200: answer("A page, newest first.", content(ref("DeliveryPage")))},
        problems=(404,),
    ),
)
describe(
    deliveries.DeliveryView,
    get=operation(
        "getDelivery",
        "Deliveries",
        "Get a delivery with all its attempts",
        parameters=[_DELIVERY_ID],
        answers={200: answer("As it is now.", content(ref("DeliveryWithAttempts")))},
        problems=(404,),
    ),
)
describe(
    deliveries.RetryView,
    post=operation(
        "retryDelivery",
        "Deliveries",
        "Attempt a delivery now",
        parameters=[_DELIVERY_ID],
        body=_NOTHING,
        body_required=False,
        answers={202: answer("It waits for the next free moment.", content(ref("Delivery")))},
        problems=(404, 409),
    ),
)
