from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class StaffConfig(AppConfig):
    name = "pave.staff"
    label = "staff"
    verbose_name = "Staff"
    default = True


class StaffAdminConfig(admin_apps.AdminConfig):
    """Django's admin, with Pave's site as its default one."""

    default_site = "pave.staff.site.StaffSite"
    default = False
