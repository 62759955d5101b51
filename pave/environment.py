"""Settings from environment variables, which are refused where they are not what they seem."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

_TRUE = frozenset(environ.Env.BOOLEAN_TRUE_STRINGS)
_FALSE = frozenset({"false", "off", "n", "no", "0", ""})


class Environment(environ.Env):
    """django-environ's, which takes ``1m`` for the number 1, any word but a few for false, and
    blanks as part of a list's words."""

    @classmethod
    def parse_value(cls, value: Any, cast: Any) -> Any:
        """Return the value of a variable's text.

        Raises:
            ValueError: It has none of this type.
        """
        if cast is float:
            return float(value)
        if cast is list or isinstance(cast, list):
            value = ",".join(part.strip() for part in value.split(","))
        if cast is bool and value.strip().lower() not in _TRUE | _FALSE:
            raise ValueError(f"{value!r} is neither true nor false")
        return super().parse_value(value, cast)

    def get_value(self, var: str, *args: Any, **kwargs: Any) -> Any:
        """Return the value of a variable.

        Raises:
            ImproperlyConfigured: It has none of this type; the message names the variable.
        """
        try:
            return super().get_value(var, *args, **kwargs)
        except ValueError as error:
            raise ImproperlyConfigured(f"{var}: {error}.") from error

    def networks(self, var: str, default: list[str]) -> list[IPv4Network | IPv6Network]:
        """Return the networks of a variable; one of IPv4 that is written as IPv6 is of IPv4.

        Raises:
            ImproperlyConfigured: One of its words is none; the message names the variable.
        """
        try:
            return [_unmapped(ip_network(word)) for word in self.list(var, default=default)]
        except ValueError as error:
            raise ImproperlyConfigured(f"{var}: {error}.") from error

    @classmethod
    def db_url_config(cls, url: Any, engine: str | None = None) -> dict[str, Any]:
        """Return the database that a URL names.

        Raises:
            ImproperlyConfigured: It names none; the message does not repeat it.
        """
        if str(url).partition("://")[0] not in cls.DB_SCHEMES:
            raise ImproperlyConfigured("DATABASE_URL is not the URL of a database.")
        config: dict[str, Any] = super().db_url_config(url, engine)
        return config


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    if isinstance(network, IPv6Network) and (mapped := network[0].ipv4_mapped):
        return IPv4Network((mapped, network.prefixlen - 96))
    return network
