from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from pave.api.openapi import views

urlpatterns = [
    path("openapi.json", csrf_exempt(views.openapi), name="openapi"),
    path("docs", csrf_exempt(views.docs), name="docs"),
]
