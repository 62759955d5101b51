from django.urls import path

from webhooks.api.views import deliveries, legacy, webhook_actions, webhooks

_WEBHOOK = "v1/webhooks/<uuid:webhook_id>"
_DELIVERY = "v1/deliveries/<uuid:delivery_id>"

urlpatterns = [
    path("create_webhook", legacy.CreateWebhookView.as_view(), name="create-webhook"),
    path("v1/webhooks", webhooks.WebhooksView.as_view(), name="webhooks"),
    path(_WEBHOOK, webhooks.WebhookView.as_view(), name="webhook"),
    path(
        f"{_WEBHOOK}/rotate-secret",
        webhook_actions.RotateSecretView.as_view(),
        name="webhook-rotate-secret",
    ),
    path(f"{_WEBHOOK}/test", webhook_actions.TestView.as_view(), name="webhook-test"),
    path(f"{_WEBHOOK}/check", webhook_actions.CheckView.as_view(), name="webhook-check"),
    path(f"{_WEBHOOK}/recover", webhook_actions.RecoverView.as_view(), name="webhook-recover"),
    path(f"{_WEBHOOK}/deliveries", deliveries.DeliveriesView.as_view(), name="webhook-deliveries"),
    path(_DELIVERY, deliveries.DeliveryView.as_view(), name="delivery"),
    path(f"{_DELIVERY}/retry", deliveries.RetryView.as_view(), name="delivery-retry"),
    path(
        "v1/recoveries/<uuid:recovery_id>", webhook_actions.RecoveryView.as_view(), name="recovery"
    ),
]
