from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "pave.api"
    label = "api"
    verbose_name = "API"
