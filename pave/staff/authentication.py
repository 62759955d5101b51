"""Staff who log in to a route of the API, by name and password."""

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import Throttled
from rest_framework.request import Request


class StaffBasicAuthentication(BasicAuthentication):
    """HTTP Basic, with the same limit on wrong passwords as the admin's login page."""

    def authenticate_credentials(
        self, userid: str, password: str, request: Request | None = None
    ) -> tuple[AbstractBaseUser, None]:
        """Return the user.

        Raises:
            Throttled: The name is locked for this address, whatever the password.
            AuthenticationFailed: The password is wrong.
        """
        plain = request._request if request is not None else None
        if plain is not None and not AxesProxyHandler.is_allowed(plain, {"username": userid}):
            raise Throttled(wait=settings.AXES_COOLOFF_TIME.total_seconds())
        return super().authenticate_credentials(userid, password, plain)  # type: ignore[arg-type]
