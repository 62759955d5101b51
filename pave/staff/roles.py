"""The four roles of staff: what each may do.

A role is a group of Django's, made by a migration. Its permissions can be changed in the admin;
``make_roles`` adds what is missing and takes nothing away: what is new here needs a new migration
that calls it.
"""

from collections.abc import Iterable
from typing import Any

_VIEWABLE = (
    "clients.client",
    "clients.apikey",
    "webhooks.webhook",
    "webhooks.event",
    "webhooks.delivery",
    "webhooks.deliveryattempt",
    "webhooks.recovery",
    "merchants.merchant",
    "merchants.alias",
    "merchants.rule",
    "merchants.ruleset",
    "merchants.revision",
    "merchants.resolution",
    "merchants.batch",
    "merchants.normalizationrequest",
    "merchants.feedback",
    "operations.clusterbeat",
    "staff.auditentry",
)
VIEWER = {f"{label.split('.')[0]}.view_{label.split('.')[1]}" for label in _VIEWABLE}
SUPPORT = VIEWER | {
    "webhooks.operate_webhook",
    "webhooks.retry_delivery",
    "merchants.add_feedback",
    "merchants.cancel_batch",
}
MATCHER = VIEWER | {
    "merchants.add_merchant",
    "merchants.change_merchant",
    "merchants.merge_merchant",
    "merchants.add_alias",
    "merchants.change_alias",
    "merchants.delete_alias",
    "merchants.add_rule",
    "merchants.change_rule",
    "merchants.delete_rule",
    "merchants.publish_ruleset",
    "merchants.add_feedback",
    "merchants.review_feedback",
}
ADMIN = (
    SUPPORT
    | MATCHER
    | {
        "clients.add_client",
        "clients.change_client",
        "clients.add_apikey",
        "clients.change_apikey",
        "webhooks.add_webhook",
        "webhooks.change_webhook",
        "webhooks.delete_webhook",
        "webhooks.rotate_secret",
        "auth.view_user",
        "auth.add_user",
        "auth.change_user",
        "auth.view_group",
    }
)
ROLES = {"viewer": VIEWER, "support": SUPPORT, "matcher": MATCHER, "admin": ADMIN}

# Permissions beyond Django's four, with their models. They are also in the models' Meta; they are
# created here so that they can be granted before ``migrate`` creates them.
_OWN = {
    "webhooks.operate_webhook": ("webhook", "Can test, check, enable, disable, recover webhooks"),
    "webhooks.rotate_secret": ("webhook", "Can rotate signing secrets"),
    "webhooks.retry_delivery": ("delivery", "Can retry and cancel deliveries"),
    "merchants.cancel_batch": ("batch", "Can cancel batches"),
    "merchants.merge_merchant": ("merchant", "Can merge merchants"),
    "merchants.publish_ruleset": ("ruleset", "Can publish and roll back rulesets"),
    "merchants.review_feedback": ("feedback", "Can accept and reject feedback"),
}


def make_roles(apps: Any) -> None:
    """Create the groups and grant their permissions, which are created if missing.

    Args:
        apps: The source of models; a migration has its own.
    """
    content_types = apps.get_model("contenttypes", "ContentType").objects
    permissions = apps.get_model("auth", "Permission").objects
    groups = apps.get_model("auth", "Group").objects
    created = {}
    for name in sorted(set().union(*ROLES.values())):
        app_label, codename = name.split(".")
        model, text = _OWN.get(name, (codename.split("_")[1], f"Can {codename.replace('_', ' ')}"))
        content_type, _ = content_types.get_or_create(app_label=app_label, model=model)
        created[name], _ = permissions.get_or_create(
            content_type=content_type, codename=codename, defaults={"name": text}
        )
    for role, names in ROLES.items():
        group, _ = groups.get_or_create(name=role)
        group.permissions.add(*_chosen(created, names))


def _chosen(created: dict[str, Any], names: Iterable[str]) -> list[Any]:
    return [created[name] for name in sorted(names)]
