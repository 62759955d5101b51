"""Buttons: what staff can do to an object, and to many of them from a list.

A method of a ``StaffAdmin`` with ``@button(...)`` is a button on the object's page, offered to
those who have its permission. It is called by POST only; one with a confirmation or a form shows
that first, on a page of its own. Everything done this way is in the audit trail.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

# What a button's method returns: a sentence about what it did, or a page to be shown instead.
Result = str | HttpResponse
Method = Callable[[Any, HttpRequest, Any, dict[str, Any]], Result]


class Refused(Exception):
    """The action is not possible now; the message is a sentence for the staff member."""


def always(obj: Model) -> bool:
    """Offer a button on every object."""
    return True


@dataclass(frozen=True, slots=True)
class Button:
    """What staff can do to an object.

    Args:
        name: The method's, and the end of the URL.
        label: What the button says.
        permission: The required one, such as ``webhooks.operate_webhook``.
        confirmation: A text to confirm before the action; empty: it is performed at once.
        form: Further input.
        look: ``primary``, ``danger`` or nothing.
        offered: Whether the action makes sense for an object.
        bulk: Its label in the actions of the list; empty: it is not among them.
        template: The page that asks.
        atomic: Whether what it does and its line in the audit trail are committed together; not so
            where it waits for the network.
        changes: The fields of the object that it may change; None for all. Others may change those
            that are left out, at the same moment, and it is not the staff member's doing.
    """

    name: str
    label: str
    permission: str
    confirmation: str = ""
    form: type[forms.Form] | None = None
    look: str = ""
    offered: Callable[[Any], bool] = always
    bulk: str = ""
    template: str = "staff/ask.html"
    atomic: bool = True
    changes: tuple[str, ...] | None = None

    @property
    def asks(self) -> bool:
        """Whether a page asks before the button's action."""
        return bool(self.confirmation or self.form)

    def allowed(self, request: HttpRequest) -> bool:
        """Return whether the request's user may."""
        return request.user.has_perm(self.permission)


def button(
    label: str,
    *,
    permission: str,
    confirmation: str = "",
    form: type[forms.Form] | None = None,
    look: str = "",
    offered: Callable[[Any], bool] = always,
    bulk: str = "",
    template: str = "staff/ask.html",
    atomic: bool = True,
    changes: tuple[str, ...] | None = None,
) -> Callable[[Method], Method]:
    """Make a method of a ``StaffAdmin`` a button; the arguments are those of `Button`."""

    def decorate(method: Method) -> Method:
        method.button = Button(  # type: ignore[attr-defined]  # found by buttons_of
            name=method.__name__,
            label=label,
            permission=permission,
            confirmation=confirmation,
            form=form,
            look=look,
            offered=offered,
            bulk=bulk,
            template=template,
            atomic=atomic,
            changes=changes,
        )
        return method

    return decorate


def buttons_of(admin_class: type) -> dict[str, Button]:
    """Return the buttons of an admin class, in the order in which they are defined."""
    buttons: dict[str, Button] = {}
    for base in reversed(admin_class.__mro__):
        for name, member in vars(base).items():
            if isinstance(getattr(member, "button", None), Button):
                buttons[name] = member.button
    return buttons
