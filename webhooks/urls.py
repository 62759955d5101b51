from django.urls import path

from webhooks import views

urlpatterns = [
    path("create_webhook", views.CreateWebhookView.as_view(), name="create-webhook"),
]
