from django.apps import AppConfig


class ClientsConfig(AppConfig):
    name = "pave.clients"
    label = "clients"
    verbose_name = "Clients"
