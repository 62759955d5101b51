#!/usr/bin/env python
"""Pave's command line: Django's own commands, django-q2's and Pave's."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pave.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
