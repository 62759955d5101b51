"""Pave's settings in the release to come."""

from pave.settings import *  # noqa: F403 - all of them

INSTALLED_APPS += ["tests.system.next_release"]  # type: ignore[name-defined] # noqa: F405 - all of them
