from django.urls import path

from pave.api.openapi import views

urlpatterns = [
    path("openapi.json", views.openapi, name="openapi"),
    path("docs", views.docs, name="docs"),
]
