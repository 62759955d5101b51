#!/usr/bin/env python
"""Pave's command line: Django's own commands, django-q2's and Pave's."""

import os
import signal
import sys

if __name__ == "__main__":
    # As process 1, in a container without an init, a signal that nobody handles is ignored for
    # good; commands take seconds until they handle it themselves.
    signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(128 + signum))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pave.settings")
    if sys.argv[1:2] == ["demo"]:
        os.environ["DEBUG"] = "true"  # it is for trying Pave, on keys that everybody knows
    if sys.argv[1:2] == ["listen"]:
        os.environ.setdefault("DEBUG", "true")  # it stores nothing, and needs no keys
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from pave.core import clock

    clock.follow_database()
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(str(error))
